from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

import cass
from cass.data.manifest.manifest import load_manifest
from cass.errors import CassError


@pytest.mark.parametrize("kind", ["pretrained", "tuned"])
def test_unlabelled_images_are_listed_to_be_labelled(
    kind: str, scans: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    run = request.getfixturevalue(kind)
    result = cass.select(run, scans, out=tmp_path / "to_label.csv", budget=4, device="cpu")
    table = pd.read_csv(tmp_path / "to_label.csv", dtype=str, keep_default_na=False)
    assert len(table) == 4
    assert (table["label"] == "").all()
    assert ("doubt" in table) == (kind == "tuned") == result.disputed
    unlabelled = {name for name, known in zip(*_labelled(scans), strict=True) if not known}
    assert set(result.images) <= unlabelled
    assert all((tmp_path / name).is_file() for name in table["image"])  # relative to the CSV


def _labelled(source: Path) -> tuple[tuple[str, ...], list[bool]]:
    manifest = load_manifest(source)
    return manifest.images, manifest.labelled.tolist()


def test_images_of_other_splits_are_not_chosen(pretrained: Path, scans: Path, tmp_path: Path) -> None:
    shutil.copytree(scans.parent / "images", tmp_path / "images")
    table = pd.read_csv(scans)
    table["label"] = ""
    table["split"] = ["train"] * 20 + ["val"] * 20 + ["test"] * 20
    table.to_csv(tmp_path / "labels.csv", index=False)
    result = cass.select(pretrained, tmp_path / "labels.csv", out=tmp_path / "out.csv", budget=20, device="cpu")
    assert sorted(result.images) == sorted(table["image"][:20])
    with pytest.raises(CassError, match=r"--budget 21: .* has 20 unlabelled training images"):
        cass.select(pretrained, tmp_path / "labels.csv", out=tmp_path / "more.csv", budget=21, device="cpu")
    assert not (tmp_path / "more.csv").exists()
