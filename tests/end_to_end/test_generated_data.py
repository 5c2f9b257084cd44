"""The word `generated` in place of a path, through the whole job at once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import cass
from cass.data.sources import generated
from conftest import TINY


def test_compare_runs_on_generated_images_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = generated.generated_dataset(tmp_path / "cache", count=160, image_size=32)
    monkeypatch.setattr(generated, "generated_dataset", lambda: folder)
    out = tmp_path / "run"
    settings = {**TINY, "epochs": 1, "finetune": {"epochs": 1}, "label_fractions": (0.1, 1.0)}
    result = cass.compare("generated", out=out, **settings)
    assert result.generated
    assert len(result.rows) == 12
    text = (out / "results.md").read_text()
    assert "generated images" in text
    assert len(result.advice) >= 2
    assert all(line in text for line in result.advice)
    assert (out / "label-efficiency.png").stat().st_size > 1000
    summary = json.loads((out / "summary.json").read_text())
    assert summary["generated_data"] is True
    assert {row["start"] for row in summary["results"]} == {"cass pretraining", "no pretraining"}
    again = cass.compare("generated", out=out, **settings, resume=True)
    assert [row.metrics for row in again.rows] == [row.metrics for row in result.rows]
