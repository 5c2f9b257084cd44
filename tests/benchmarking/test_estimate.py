from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from cass.benchmarking.cells import expand
from cass.benchmarking.estimate import Estimate, Progress, estimate
from cass.benchmarking.spec import read_spec
from cass.benchmarking.steps import Step, all_steps
from conftest import write_scans


@pytest.fixture
def steps(tmp_path: Path) -> list[Step]:
    """Twelve steps: three methods with two seeds each, a pretraining and a fine-tuning of each."""
    spec: dict[str, Any] = {
        "name": "mine",
        "claim": "cass",
        "data": {"scans": {"source": str(write_scans(tmp_path / "scans"))}},
        "networks": {"tiny": {"cnn": "test_resnet", "transformer": "test_vit", "image_size": 32}},
        "pretraining": {"cnn_weights": "none", "transformer_weights": "none"},
        "methods": {"cass": {"epochs": 8}, "dino": {"epochs": 1}, "mine": {"method": "cass", "epochs": 4}},
        "tuning": {"probe": {"head": "linear"}},
        "label_fractions": [1.0],
        "seeds": [0, 1],
        "epochs": [2],
    }
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(spec))
    return all_steps(expand(read_spec(path), folder=tmp_path, out=tmp_path / "out"))


def finish(steps: list[Step], method: str, seed: int, *, seconds: float, tuning: bool = False) -> None:
    (step,) = (
        step
        for step in steps
        if (step.cell.method, step.cell.config.seed) == (method, seed) and (step.tuning is not None) == tuning
    )
    step.result.parent.mkdir(parents=True, exist_ok=True)
    step.result.write_text("{}")
    (step.folder / "timing.json").write_text(json.dumps({"seconds": seconds}))


def test_nothing_is_known_before_the_first_step(steps: list[Step]) -> None:
    assert estimate(steps) == Estimate(total=12, done=0, seconds=None, unknown=12)
    finish(steps, "cass", 0, seconds=80)
    assert estimate(steps).seconds is None  # no fine-tuning has been done


def test_steps_that_are_alike_take_as_long(steps: list[Step]) -> None:
    finish(steps, "cass", 0, seconds=80)
    finish(steps, "cass", 0, seconds=5, tuning=True)
    # Another method's epochs say nothing: all five pretrainings and five fine-tunings take what these took.
    assert estimate(steps) == Estimate(total=12, done=2, seconds=5 * 80 + 5 * 5, unknown=0)
    finish(steps, "dino", 0, seconds=200)
    expected = 80 + 200 + 2 * (80 + 200) / 2 + 5 * 5
    assert estimate(steps).seconds == pytest.approx(expected)


def test_progress_is_said_once_a_step(steps: list[Step], caplog: pytest.LogCaptureFixture) -> None:
    progress = Progress(steps, jobs=2)
    with caplog.at_level("INFO", logger="cass"):
        progress.tick()
        progress.tick()
        finish(steps, "cass", 0, seconds=48)
        finish(steps, "cass", 0, seconds=0, tuning=True)
        progress.tick()
    assert [record.getMessage() for record in caplog.records] == [
        "Benchmark: 0 of 12 steps done.",
        "Benchmark: 2 of 12 steps done, about 2 min left.",
    ]
