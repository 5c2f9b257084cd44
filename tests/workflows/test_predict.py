from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import cass
from cass.errors import ConfigError, OutputError
from tiny_runs import write_run


def test_the_csv_holds_what_the_folder_holds(
    classifier: Path, images: Path, tmp_path: Path, short_shards: int
) -> None:
    result = cass.predict(classifier, images, out=tmp_path / "p.csv", device="cpu")
    assert result.images == 30
    table = pd.read_csv(tmp_path / "p.csv")
    assert list(table.columns)[:5] == [
        "image",
        "prediction",
        "doubt",
        "probability_bénin",
        "probability_malignant",
    ]
    assert table["image"].is_monotonic_increasing
    assert table["image"].is_unique
    assert table.filter(like="probability_").sum(axis=1).round(5).eq(1).all()
    assert (table["prediction"] == np.where(table.iloc[:, 3] >= table.iloc[:, 4], "bénin", "malignant")).all()
    for name in ("shards", "p.parquet"):
        cass.predict(classifier, images, out=tmp_path / name, device="cpu")
        other = pd.read_parquet(tmp_path / name)
        assert other.to_csv(index=False) == (tmp_path / "p.csv").read_text(encoding="utf-8")
    assert len(list((tmp_path / "shards").glob("part-*.parquet"))) == 5


def test_stopped_predictions_continue(
    classifier: Path, images: Path, tmp_path: Path, short_shards: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    cass.predict(classifier, images, out=tmp_path / "whole.csv", device="cpu")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("cass.runs.rows._write_csv", full)
        with pytest.raises(OutputError, match=r"No space left on device.*--resume"):
            cass.predict(classifier, images, out=tmp_path / "p.csv", device="cpu")
    with pytest.raises(OutputError, match="begun and not finished"):
        cass.predict(classifier, images, out=tmp_path / "p.csv", device="cpu")
    other = write_run(tmp_path / "other", seed=1, classes=("bénin", "malignant"))
    with pytest.raises(OutputError, match="another run or model"):
        cass.predict(other, images, out=tmp_path / "p.csv", device="cpu", resume=True)
    cass.predict(classifier, images, out=tmp_path / "p.csv", device="cpu", resume=True)
    assert (tmp_path / "p.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_run_tells_what_to_refer_and_what_cannot_be_ruled_out(tuned: Path, scans: Path, tmp_path: Path) -> None:
    cass.predict(tuned, scans, out=tmp_path / "p.csv", device="cpu")
    table = pd.read_csv(tmp_path / "p.csv", dtype={"set_90": str})
    assert ((table["doubt"] >= 0) & (table["doubt"] <= 1)).all()
    sets = table["set_90"].str.split("|")
    assert all(row.prediction in inside for row, inside in zip(table.itertuples(), sets, strict=True))
    mean = (table.filter(regex="^cnn_").to_numpy() + table.filter(regex="^transformer_").to_numpy()) / 2
    np.testing.assert_allclose(table.filter(like="probability_").to_numpy(), mean, atol=1e-5)
    # Five labelled patients are too few to rule a class out, and seven images to call a doubt high.
    assert "refer" not in table
    assert (sets.str.len() == 3).all()


def test_a_stated_sensitivity_calls_classes(tuned: Path, scans: Path, tmp_path: Path) -> None:
    result = cass.predict(tuned, scans, out=tmp_path / "p.csv", sensitivity=0.5, device="cpu")
    table = pd.read_csv(tmp_path / "p.csv", keep_default_na=False)
    assert result.called
    held = pd.read_csv(tuned / "held_out.csv")
    for name, threshold in result.called.items():
        called = table[f"called_{name}"] == "yes"
        assert called.tolist() == (table[f"probability_{name}"].round(6) >= threshold).tolist()
        own = held[held[f"label_{name}"] == 1]
        assert (own[f"probability_{name}"] >= threshold).mean() >= 0.5
    assert not any("patient" in str(cell) for cell in held.to_numpy().ravel())  # groups are numbers
    with pytest.raises(ConfigError, match=r"--sensitivity 0\.999 needs 999 held-out"):
        cass.predict(tuned, scans, out=tmp_path / "q.csv", sensitivity=0.999, device="cpu")
    (tuned / "held_out.csv").rename(tuned / "hidden.csv")
    try:
        with pytest.raises(OutputError, match="kept no held-out answers"):
            cass.predict(tuned, scans, out=tmp_path / "q.csv", sensitivity=0.5, device="cpu")
    finally:
        (tuned / "hidden.csv").rename(tuned / "held_out.csv")
    assert not (tmp_path / "q.csv").exists()
