from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score

from cass.data.manifest.manifest import load_manifest
from cass.data.sources.generated import CLASSES, generated_dataset
from cass.errors import DataError, OutputError
from cass.files import cache_folder


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generated_dataset(tmp_path_factory.mktemp("cache"), count=300, image_size=32)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_same_seed_draws_the_same_bytes(tmp_path: Path) -> None:
    first, second, other = (
        generated_dataset(tmp_path / name, count=120, image_size=32, seed=seed)
        for name, seed in (("a", 0), ("b", 0), ("c", 1))
    )
    assert contents(first) == contents(second)
    assert contents(first) != contents(other)


def test_it_is_drawn_once_and_leaves_no_scraps(drawn: Path) -> None:
    before = (drawn / "labels.csv").stat().st_mtime_ns
    assert generated_dataset(drawn.parent, count=300, image_size=32) == drawn
    assert (drawn / "labels.csv").stat().st_mtime_ns == before
    assert list(drawn.parent.iterdir()) == [drawn]
    assert "not patient data" in (drawn / "README.txt").read_text()


def test_classes_are_imbalanced_and_patients_never_straddle_splits(drawn: Path) -> None:
    table = pd.read_csv(drawn / "labels.csv")
    assert list(table.columns) == ["image", "label", "group", "site", "split"]
    shares = table.label.value_counts(normalize=True)
    assert list(shares.index[:1]) == [CLASSES[0]]
    assert shares.max() > 3 * shares.min()
    assert (table.groupby("group").split.nunique() == 1).all()
    assert set(table.split) == {"train", "val", "test"}
    assert table.site.nunique() == 2


def test_colour_alone_does_not_give_the_class(drawn: Path) -> None:
    table = pd.read_csv(drawn / "labels.csv")
    colours = np.array([np.asarray(Image.open(drawn / name)).mean((0, 1)) for name in table.image])
    train = table.split == "train"
    model = LogisticRegression(class_weight="balanced", max_iter=500).fit(colours[train], table.label[train])
    score = balanced_accuracy_score(table.label[~train], model.predict(colours[~train]))
    assert score < 0.45


def test_it_loads_by_name(monkeypatch: pytest.MonkeyPatch, drawn: Path) -> None:
    monkeypatch.setattr("cass.data.sources.generated.generated_dataset", lambda: drawn)
    manifest = load_manifest("generated")
    assert manifest.generated
    assert len(manifest) == 300
    assert manifest.classes == tuple(sorted(CLASSES))


def test_the_cache_folder_can_be_moved(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CASS_CACHE_DIR", str(tmp_path))
    assert cache_folder() == tmp_path


def test_two_at_once_end_with_one_whole_set(tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        drawn = list(pool.map(lambda _: generated_dataset(tmp_path, count=120, image_size=16), range(2)))
    assert drawn[0] == drawn[1]
    assert list(tmp_path.iterdir()) == [drawn[0]]
    assert len(list(drawn[0].glob("images/*.png"))) == 120


def test_a_cache_that_cannot_be_written_names_the_mend(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="CASS_CACHE_DIR"):
        generated_dataset(tmp_path / "file", count=120, image_size=16)


def test_a_set_that_lost_images_is_not_used(drawn: Path, tmp_path: Path) -> None:
    copy = tmp_path / drawn.name
    shutil.copytree(drawn, copy)
    (copy / "images" / "00007.png").unlink()
    with pytest.raises(DataError, match="299 of 300"):
        generated_dataset(tmp_path, count=300, image_size=32)


def test_too_few_images_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="120 images"):
        generated_dataset(tmp_path, count=20)
    assert not list(tmp_path.iterdir())
