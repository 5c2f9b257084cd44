from __future__ import annotations

import sys
import types
from pathlib import Path

import numpy as np
import pytest

from cass.data.formats.read import read_image
from cass.data.manifest.manifest import load_manifest
from cass.errors import CassError, DataError

COUNTS = {"train": 12, "val": 4, "test": 6}


def write(path: Path, *, channels: int = 0, findings: int = 0, classes: int = 2, **change: object) -> Path:
    rng = np.random.default_rng(0)
    arrays: dict[str, np.ndarray] = {}
    for split, count in COUNTS.items():
        shape = (count, 28, 28, channels) if channels else (count, 28, 28)
        arrays[f"{split}_images"] = rng.integers(0, 256, shape, dtype=np.uint8)
        many = rng.integers(0, 2, (count, findings)) if findings else np.arange(count)[:, None] % classes
        arrays[f"{split}_labels"] = many.astype(np.uint8)
    for name, value in change.items():
        if value is None:
            del arrays[name]
        else:
            arrays[name] = np.asarray(value)
    np.savez_compressed(path, **arrays)
    return path


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CASS_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_classes_official_splits_and_pixels(tmp_path: Path, cache: Path) -> None:
    path = write(tmp_path / "breastmnist.npz")
    manifest = load_manifest(path)
    assert manifest.classes == ("malignant", "normal or benign")
    assert manifest.task == "multiclass"
    assert manifest.splits is not None
    assert manifest.splits.tolist() == ["train"] * 12 + ["val"] * 4 + ["test"] * 6
    arrays = np.load(path)
    assert np.array_equal(read_image(manifest.path(14))[..., 0], arrays["val_images"][2])
    assert manifest.targets.argmax(axis=1).tolist() == [
        number % 2 for count in COUNTS.values() for number in range(count)
    ]
    before = {file: file.stat().st_mtime_ns for file in cache.rglob("*.png")}
    load_manifest(path)
    assert before == {file: file.stat().st_mtime_ns for file in cache.rglob("*.png")}
    assert len(list(cache.iterdir())) == 1


def test_colour_findings_and_unknown_names(tmp_path: Path) -> None:
    chest = load_manifest(write(tmp_path / "chestmnist_64.npz", findings=14))
    assert chest.task == "multilabel"
    assert len(chest.classes) == 14
    assert "hernia" in chest.classes
    assert chest.labelled.all()
    own = load_manifest(write(tmp_path / "own.npz", channels=3, classes=3))
    assert own.classes == ("0", "1", "2")
    assert read_image(own.path(0)).shape == (28, 28, 3)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"val_images": None}, "val_images"),
        ({"test_labels": np.zeros((5, 1), dtype=np.uint8)}, "for 5 labels"),
        ({"train_images": np.zeros((12, 8, 8, 8), dtype=np.uint8)}, "train_images is uint8"),
        ({"train_labels": np.array([object()] * 12)}, "allow_pickle"),
    ],
)
def test_other_files_are_refused_in_one_line(
    tmp_path: Path, cache: Path, change: dict[str, object], says: str
) -> None:
    path = tmp_path / "breastmnist.npz"
    if "train_labels" in change:
        np.savez(path, train_labels=change["train_labels"], allow_pickle=True)
    else:
        write(path, **change)
    with pytest.raises(DataError, match="no MedMNIST file") as caught:
        load_manifest(path)
    assert says in str(caught.value) or says == "allow_pickle"
    assert "\n" not in str(caught.value)
    assert not list(cache.iterdir())


def test_a_truncated_file(tmp_path: Path) -> None:
    path = write(tmp_path / "breastmnist.npz")
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(DataError, match="damaged"):
        load_manifest(path)


def test_by_name_through_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class BreastMNIST:
        def __init__(self, *, split: str, download: bool, root: str, size: int) -> None:
            assert (split, download, size) == ("train", True, 28)
            write(Path(root) / "breastmnist.npz")

    package = types.ModuleType("medmnist")
    package.INFO = {"breastmnist": {"python_class": "BreastMNIST"}}  # type: ignore[attr-defined]
    package.BreastMNIST = BreastMNIST  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "medmnist", package)
    assert load_manifest("medmnist:breastmnist").classes == ("malignant", "normal or benign")
    with pytest.raises(CassError, match="no MedMNIST set 'brestmnist'"):
        load_manifest("medmnist:brestmnist")
    monkeypatch.setitem(sys.modules, "medmnist", None)
    assert len(load_manifest("medmnist:breastmnist")) == 22  # kept
    with pytest.raises(DataError, match="pip install medmnist"):
        load_manifest("medmnist:pathmnist")
