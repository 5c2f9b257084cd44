from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import cass
from cass.errors import DataError
from cass.evaluation.metrics import balanced_accuracy
from conftest import draw


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


def test_images_that_the_run_has_never_seen_are_all_evaluated(
    scans: Path, tuned: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    internal = cass.evaluate(tuned, scans, resamples=100, device="cpu")
    before = (internal.out / "report.json").read_bytes()
    rng = np.random.default_rng(7)
    folder = tmp_path / "hospital b"
    for index in range(12):
        kind = index % 3
        path = folder / ("stripes", "disc", "cross")[kind] / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw(kind, rng=rng)).save(path)
    caplog.set_level(logging.INFO, logger="cass")
    external = cass.evaluate(tuned, folder, resamples=100, device="cpu")
    assert external.out == tuned / "evaluation" / "hospital-b"
    table = pd.read_csv(external.out / "predictions-cnn.csv")
    assert len(table) == 12
    assert table.label.tolist() == [name.split("/")[0] for name in table.image]
    assert (internal.out / "report.json").read_bytes() == before
    assert "Evaluating 12 labelled images of the split 'test'; the run has never seen 12 of them." in caplog.text


def test_images_that_the_run_knows_keep_their_split(
    scans: Path, tuned: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = pd.read_csv(scans)
    splits = pd.read_csv(tuned / "splits.csv").set_index("image").split
    for name in rows.image:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(scans.parent / name, tmp_path / name)
    Image.fromarray(draw(0, rng=np.random.default_rng(9))).save(tmp_path / "images" / "new.png")
    patient = rows.group[rows.image.map(splits) == "train"].iloc[0]
    extra = [{"image": "images/new.png", "label": "stripes", "group": patient}]
    pd.concat([rows, pd.DataFrame(extra)]).to_csv(tmp_path / "more.csv", index=False)
    caplog.set_level(logging.INFO, logger="cass")
    result = cass.evaluate(tuned, tmp_path / "more.csv", out=tmp_path / "out", resamples=100, device="cpu")
    table = pd.read_csv(result.out / "predictions-cnn.csv")
    assert set(table.image.map(splits)) == {"test"}  # the new image is of a patient that trained
    assert "(1 of them new, but of a patient or group that the run has trained on)" in caplog.text
