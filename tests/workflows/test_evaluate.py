from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import cass
from cass.errors import DataError
from cass.evaluation.metrics import balanced_accuracy


def test_reports_plots_and_predictions_are_those_of_the_split(scans: Path, tuned: Path) -> None:
    result = cass.evaluate(tuned, scans, split="test", resamples=100, device="cpu")
    assert list(result.reports) == ["cnn", "transformer", "mean of both"]
    assert result.out == tuned / "evaluation" / "test"
    names = {path.name for path in result.out.iterdir()}
    for stem in ("cnn", "transformer", "mean-of-both"):
        assert {f"predictions-{stem}.csv", f"confusion-{stem}.png"} <= names
    splits = pd.read_csv(tuned / "splits.csv").set_index("image").split
    labels = pd.read_csv(scans).set_index("image").label
    tables = {stem: pd.read_csv(result.out / f"predictions-{stem}.csv") for stem in ("cnn", "transformer")}
    mean = pd.read_csv(result.out / "predictions-mean-of-both.csv")
    assert set(splits[mean.image]) == {"test"}
    assert set(mean.image) == {name for name in splits.index[splits == "test"] if isinstance(labels[name], str)}
    columns = [name for name in mean if name.startswith("probability_")]
    expected = (tables["cnn"][columns] + tables["transformer"][columns]) / 2
    np.testing.assert_allclose(mean[columns], expected, atol=2e-6)
    classes = [name.removeprefix("probability_") for name in columns]
    truth = np.array([[label == name for name in classes] for label in labels[mean.image]], dtype=np.uint8)
    report = result.reports["mean of both"].metrics["balanced_accuracy"]
    assert report.value == pytest.approx(balanced_accuracy(mean[columns].to_numpy(), truth, task="multiclass"))
    assert set(json.loads((result.out / "report.json").read_text())) == set(result.reports)


def test_a_second_evaluation_replaces_the_first(scans: Path, tuned: Path) -> None:
    first, second = (
        cass.evaluate(tuned, scans, split="val", resamples=100, device="cpu", batch_size=size) for size in (64, 5)
    )
    assert first.out == second.out
    for name, report in first.reports.items():
        assert report.to_dict() == second.reports[name].to_dict()


def test_labels_that_do_not_fit_the_run_are_named(scans: Path, tuned: Path, tmp_path: Path) -> None:
    (tmp_path / "images").symlink_to(scans.parent / "images")
    table = pd.read_csv(scans, dtype=str)
    table.assign(label=table.label.replace("disc", "square")).to_csv(tmp_path / "other.csv", index=False)
    with pytest.raises(DataError, match=r"Label 'square' .* is unknown to"):
        cass.evaluate(tuned, tmp_path / "other.csv", resamples=100, device="cpu")
    table.assign(label="").to_csv(tmp_path / "none.csv", index=False)
    with pytest.raises(DataError, match="no labelled image in the split 'test'"):
        cass.evaluate(tuned, tmp_path / "none.csv", resamples=100, device="cpu")
