"""What a job hands to its parts: every shared setting, also one that is added later."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import Field

from cass.config import shared
from cass.config.base import Settings, build_config
from cass.config.compare import CompareConfig
from cass.config.evaluate import EvaluateConfig
from cass.config.finetune import FinetuneConfig
from cass.config.shared import ComputeSettings, GuardSettings, job_settings

COMPARE = {"data": "scans", "out": "run", "cache": "off", "device": "cpu", "allow_leakage": True, "num_workers": 3}


def test_a_job_hands_its_parts_what_they_share() -> None:
    config = build_config(CompareConfig, COMPARE)
    tuning = job_settings(config, FinetuneConfig)
    assert (tuning["cache"], tuning["device"], tuning["allow_leakage"], tuning["num_workers"]) == (
        "off",
        "cpu",
        True,
        3,
    )
    assert "compile" not in tuning  # training has its own in each part
    evaluation = job_settings(config, EvaluateConfig)
    assert evaluation["cache"] == "off"
    assert "allow_leakage" not in evaluation


def test_a_setting_added_to_a_shared_class_arrives(monkeypatch: pytest.MonkeyPatch) -> None:
    class Wider(ComputeSettings):
        threads: int = Field(1, description="A new setting.")

    class Job(Wider, GuardSettings):
        pass

    class Part(Wider):
        pass

    monkeypatch.setattr(shared, "JOB", (Wider, GuardSettings))
    assert job_settings(Job(threads=4), Part)["threads"] == 4
    assert "allow_leakage" not in job_settings(Job(), Part)


def test_paths_are_taken_for_words() -> None:
    config = build_config(CompareConfig, {**COMPARE, "data": Path("scans"), "cnn_weights": Path("w.safetensors")})
    assert (config.data, config.cnn_weights) == ("scans", "w.safetensors")
    assert isinstance(config, Settings)
