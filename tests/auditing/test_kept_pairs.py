"""Splits that cass makes keep near-duplicates together, in training as in cass split."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageFilter

import cass
from cass.auditing.kept_pairs import near_families
from cass.data.formats.identity import image_digests
from cass.data.manifest.manifest import Manifest, load_manifest
from conftest import TINY


def write_pairs(folder: Path, *, count: int = 16) -> Path:
    """Write pictures of blurred noise, and of each a brighter JPEG copy of another size."""
    rng = np.random.default_rng(0)
    rows = []
    for index in range(count):
        noise = Image.fromarray(rng.integers(0, 256, (96, 96, 3), dtype=np.uint8))
        picture = noise.filter(ImageFilter.GaussianBlur(2 + index % 3)).point(lambda value: (value - 96) * 4)
        picture.save(folder / f"{index}.png")
        picture.point(lambda value: value * 0.9).resize((120, 120)).save(folder / f"{index}-copy.jpg", quality=70)
        rows += [(f"{index}.png", "ab"[index % 2]), (f"{index}-copy.jpg", "ab"[index % 2])]
    path = folder / "labels.csv"
    pd.DataFrame(rows, columns=["image", "label"]).to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pairs(tmp_path_factory.mktemp("pairs"))


def assert_together(splits: pd.DataFrame) -> None:
    names = splits["image"].str.extract(r"(\d+)")[0]
    assert len(names.unique()) == 16
    assert (splits.groupby(names)["split"].nunique() == 1).all()
    assert set(splits["split"]) == {"train", "val", "test"}


def test_training_makes_the_splits_that_an_audit_accepts(pairs: Path, tmp_path: Path) -> None:
    audit = cass.audit(pairs).audit
    assert audit.splits_source == "made"
    assert any("near-duplicates" in finding.what for finding in audit.findings)
    assert not [finding for finding in audit.findings if finding.topic.startswith("leakage")]
    run = cass.pretrain(pairs, out=tmp_path / "run", **TINY | {"epochs": 1})
    assert_together(pd.read_csv(run.out / "splits.csv"))
    cass.split(pairs, out=pairs.parent / "safe.csv")
    assert_together(pd.read_csv(pairs.parent / "safe.csv"))
    (pairs.parent / "safe.csv").unlink()


def test_validation_images_taken_from_given_splits_have_no_copy_in_training(pairs: Path, tmp_path: Path) -> None:
    table = pd.read_csv(pairs)
    table["split"] = np.where(table["image"].str.extract(r"(\d+)")[0].astype(int) < 4, "test", "train")
    path = pairs.parent / "given.csv"
    table.to_csv(path, index=False)
    run = cass.pretrain(path, out=tmp_path / "run", **TINY | {"epochs": 1})
    assert_together(pd.read_csv(run.out / "splits.csv"))


def test_what_was_found_is_kept(pairs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = load_manifest(pairs)
    digests = image_digests([manifest.path(row) for row in range(len(manifest))])
    found = near_families(manifest, digests)

    def search(manifest: Manifest, facts: object) -> np.ndarray:
        raise AssertionError("searched again")

    monkeypatch.setattr("cass.auditing.kept_pairs.near_pairs", search)
    assert near_families(manifest, digests).tolist() == found.tolist()
    with pytest.raises(AssertionError, match="searched again"):
        near_families(manifest.subset(range(4)), digests[:4])
