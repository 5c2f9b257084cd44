from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cass.data.manifest.manifest import Manifest, load_manifest
from cass.data.splits.kept import read_splits, require_same_images, write_splits
from cass.errors import DataError, OutputError

Write = Callable[..., Path]


def listed(write_csv: Write, *rows: str) -> Manifest:
    return load_manifest(write_csv("\n".join(["image,label,group,split", *rows]) + "\n"))


def test_written_splits_come_back_and_name_no_patient(write_csv: Write, tmp_path: Path) -> None:
    manifest = listed(write_csv, "a.png,x,patient7,train", "b.png,y,patient7,val", "c.png,x,p,test")
    assert manifest.splits is not None
    path = tmp_path / "run.csv"
    write_splits(path, manifest, manifest.splits, ["1", "2", "3"])
    text = path.read_text()
    assert "patient7" not in text
    rows = list(csv.DictReader(text.splitlines()))
    assert rows[0] == {"image": "a.png", "digest": "1", "split": "train"}
    assert read_splits(path) == {"1": "train", "2": "val", "3": "test"}
    write_splits(path, manifest, manifest.splits, ["1", "1", "1"])
    assert read_splits(path) == {"1": "train"}
    assert [entry.name for entry in tmp_path.glob(".*")] == []


def test_splits_that_cannot_be_written_or_read(write_csv: Write, tmp_path: Path) -> None:
    manifest = listed(write_csv, "a.png,x,,train")
    assert manifest.splits is not None
    with pytest.raises(OutputError, match="Cannot write"):
        write_splits(tmp_path / "no" / "s.csv", manifest, manifest.splits, ["1"])
    for text in ("image,digest\na,b\n", "image,digest,split\na,b,tset\n"):
        (tmp_path / "s.csv").write_text(text)
        with pytest.raises(OutputError, match=r"s\.csv"):
            read_splits(tmp_path / "s.csv")
    with pytest.raises(OutputError, match=r"gone\.csv"):
        read_splits(tmp_path / "gone.csv")


def test_names_outside_ascii_come_back(write_csv: Write, tmp_path: Path) -> None:
    manifest = listed(write_csv, "Übersicht.png,x,,train", "b.png,x,,test")
    write_splits(tmp_path / "s.csv", manifest, np.asarray(manifest.splits), ["1", "2"])
    assert (
        tmp_path / "s.csv"
    ).read_bytes() == "image,digest,split\nÜbersicht.png,1,train\nb.png,2,test\n".encode()
    assert read_splits(tmp_path / "s.csv") == {"1": "train", "2": "test"}


@pytest.mark.parametrize(
    ("now", "says"),
    [
        (
            ["1", "4", "3"],
            r"1 of 3 images changed since the run with .*run\.csv began, the first 'b\.png'\. Res",
        ),
        (["2", "1", "3"], r"The 3 images are in another order than when the run with .*run\.csv began\. Restore"),
        (["1", "2"], r"There are 2 images, and there were 3 when the run with .*run\.csv began\. Restore"),
    ],
)
def test_a_run_continues_only_on_the_images_that_it_began_with(
    write_csv: Write, tmp_path: Path, now: list[str], says: str
) -> None:
    manifest = listed(write_csv, "a.png,x,,train", "b.png,y,,val", "c.png,x,,test")
    assert manifest.splits is not None
    path = tmp_path / "run.csv"
    write_splits(path, manifest, manifest.splits, ["1", "2", "3"])
    require_same_images(path, manifest, ["1", "2", "3"])
    with pytest.raises(DataError, match=says):
        require_same_images(path, manifest, now)
