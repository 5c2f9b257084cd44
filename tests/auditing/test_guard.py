"""Training on splits that leak: stopped, or stated wherever a figure stands."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pandas as pd
import pytest

import cass
from cass.errors import DataError
from conftest import TINY, write_scans

ONCE = TINY | {"epochs": 1}
FAST = {"epochs": 1, "batch_size": 8, "device": "cpu", "head": "linear"}


@pytest.fixture(scope="module")
def leaking(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty scans; images of two patients are in train and in test, and two copies have different labels."""
    path = write_scans(tmp_path_factory.mktemp("leaking") / "scans")
    table = pd.read_csv(path)
    table["split"] = [("train", "train", "val", "test")[row // 4 % 4] for row in range(len(table))]
    table.loc[[0, 4], "split"] = "test"
    (path.parent / table.image[3]).write_bytes((path.parent / table.image[2]).read_bytes())
    table.to_csv(path, index=False)
    return path


def test_a_leak_stops_training_in_one_line_before_anything_is_written(leaking: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="2 groups into more than one split") as caught:
        cass.pretrain(leaking, out=tmp_path / "run", **ONCE)
    assert f"cass split {leaking} --out safe.csv" in str(caught.value)
    assert "--allow-leakage" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_a_leak_that_is_allowed_is_stated_everywhere(
    leaking: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="cass"):
        run = cass.pretrain(leaking, out=tmp_path / "run", allow_leakage=True, **ONCE)
    assert "images/002.png' and 'images/003.png' are the same image with different labels." in caplog.text
    assert "cannot be evaluated" in caplog.text
    assert "2 groups" in run.summary["leakage"][0]
    with pytest.raises(DataError, match="--allow-leakage"):
        cass.finetune(run.out, labels=leaking, out=tmp_path / "tuned", **FAST)
    tuned = cass.finetune(run.out, labels=leaking, out=tmp_path / "tuned", allow_leakage=True, **FAST)
    assert json.loads((tuned.out / "summary.json").read_text())["leakage"] == run.summary["leakage"]
    result = cass.evaluate(tuned.out, labels=leaking, resamples=100, device="cpu")
    report = (result.out / "report.md").read_text()
    assert report.startswith("**Leakage was allowed.** The given splits put 2 groups into more than one split")
