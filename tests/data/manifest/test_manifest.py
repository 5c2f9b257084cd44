from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from cass.config.shared import LabelSettings
from cass.data.manifest.manifest import load_manifest
from cass.errors import CassError, ConfigError, DataError

Write = Callable[..., Path]
SHARED = Path(__file__).resolve().parents[4] / "shared" / "data"


def test_csv_keeps_rows_labels_groups_splits_and_metadata(write_csv: Write) -> None:
    path = write_csv(
        "image,label,group,split,site\n"
        "b.png, zebra ,p1,train,north\n"
        "sub/a.png,ape,,TESTING,south\n"
        "c.png,,p1,Validation,007\n"
    )
    manifest = load_manifest(path)
    assert manifest.images == ("b.png", "sub/a.png", "c.png")
    assert manifest.classes == ("ape", "zebra")
    assert manifest.targets.tolist() == [[0, 1], [1, 0], [0, 0]]
    assert manifest.targets.dtype == np.uint8
    assert manifest.labelled.tolist() == [True, True, False]
    assert manifest.groups is not None
    assert manifest.groups.tolist() == ["p1", "", "p1"]
    assert manifest.splits is not None
    assert manifest.splits.tolist() == ["train", "test", "val"]
    assert manifest.task == "multiclass"
    assert manifest.metadata["site"].tolist() == ["north", "south", "007"]
    assert list(manifest.metadata) == ["site"]
    assert manifest.path(1) == path.parent / "sub/a.png"
    assert len(manifest) == 3
    assert not manifest.generated


def test_a_class_named_na_is_a_class(write_csv: Write) -> None:
    assert load_manifest(write_csv("image,label\na.png,NA\nb.png,None\n")).classes == ("NA", "None")


def test_bom_windows_line_ends_and_backslashes(write_csv: Write) -> None:
    path = write_csv("image,label\r\nsub\\a.png,x\r\nsub\\b.png,y\r\n\r\n", encoding="utf-8-sig")
    assert load_manifest(path).images == ("sub/a.png", "sub/b.png")


def test_joined_labels_are_multilabel(write_csv: Write) -> None:
    manifest = load_manifest(write_csv("image,label\na.png,oedema | effusion\nb.png,oedema\nc.png,\n"))
    assert manifest.task == "multilabel"
    assert manifest.classes == ("effusion", "oedema")
    assert manifest.targets.tolist() == [[1, 1], [0, 1], [0, 0]]
    assert manifest.labelled.tolist() == [True, True, False]


def test_label_columns_tell_no_finding_from_unlabelled(write_csv: Write) -> None:
    text = "image,oedema,effusion,age\na.png,1,0,30\nb.png,0,0.0,40\nc.png,,,50\n"
    manifest = load_manifest(write_csv(text), LabelSettings(label_columns=("oedema", "effusion")))
    assert manifest.task == "multilabel"
    assert manifest.classes == ("effusion", "oedema")
    assert manifest.targets.tolist() == [[0, 1], [0, 0], [0, 0]]
    assert manifest.labelled.tolist() == [True, True, False]
    assert list(manifest.metadata) == ["age"]


def test_csv_of_images_alone_is_unlabelled(write_csv: Write) -> None:
    manifest = load_manifest(write_csv("image,split\na.png,\nb.png,\n"))
    assert manifest.classes == ()
    assert manifest.targets.shape == (2, 0)
    assert not manifest.labelled.any()
    assert manifest.splits is None
    assert manifest.groups is None


def test_subset_keeps_classes_and_task(write_csv: Write) -> None:
    manifest = load_manifest(write_csv("image,label,group,age\na.png,x,g,1\nb.png,y,h,2\nc.png,z,g,3\n"))
    part = manifest.subset(np.array([2, 0]))
    assert part.images == ("c.png", "a.png")
    assert part.classes == ("x", "y", "z")
    assert part.targets.tolist() == [[0, 0, 1], [1, 0, 0]]
    assert part.metadata["age"].tolist() == ["3", "1"]
    assert part.groups is not None
    assert part.groups.tolist() == ["g", "g"]


def test_folder_of_classes(write_images: Write) -> None:
    manifest = load_manifest(write_images(["ill/b.png", "well/a.png", "ill/a.png"]))
    assert manifest.images == ("ill/a.png", "ill/b.png", "well/a.png")
    assert manifest.classes == ("ill", "well")
    assert manifest.labelled.all()


def test_folder_with_labels_csv_is_read_through_it(
    write_csv: Write, write_images: Write, caplog: pytest.LogCaptureFixture
) -> None:
    folder = write_csv("image,label,split\nx/a.png,u,train\ny/b.png,v,test\n", name="labels.csv").parent
    write_images(["x/unlisted.png"])
    with caplog.at_level(logging.INFO, logger="cass"):
        manifest = load_manifest(folder)
    assert manifest.classes == ("u", "v")
    assert manifest.splits is not None
    assert "labels.csv" in caplog.messages[0]
    assert "2 images" in caplog.messages[0]
    assert "x/unlisted.png" in caplog.messages[1]


def test_the_word_generated_is_the_generated_set(
    write_csv: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write_csv("image,label\na.png,x\nb.png,y\n", name="labels.csv")
    module = ModuleType("cass.data.sources.generated")
    module.generated_dataset = lambda: tmp_path  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "cass.data.sources.generated", module)
    manifest = load_manifest("generated")
    assert manifest.generated
    assert manifest.classes == ("x", "y")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["is empty"]),
        ("image,label\n", ["no rows"]),
        ("file,label\na.png,x\n", ["no column 'image'", "'file', 'label'"]),
        ("image,label,label\na.png,x,y\n", ["'label' more than once"]),
        ("image,label\na.png,x,y\n", ["line 2", "3 cells"]),
        ("image,label\na.png,x\n,y\n", ["line 3", "empty image"]),
        ("image,label\na.png,x\na.png,y\n", ["'a.png'", "lines 2 and 3"]),
        ("image,label\na.png,x\n./a.png,y\n", ["lines 2 and 3"]),
        ("image,label\na.gif,x\n", ["'a.gif'", ".png"]),
        ("image,label\na.png,|\n", ["line 2", "names no class"]),
        ("image,label,split\na.png,x,train\nb.png,x,tset\n", ["line 3", "'tset'", "train, val or test"]),
        ("image,label,split\na.png,x,train\nb.png,x,\n", ["line 3", "no split"]),
        ("image,label,Splits\na.png,x,train\n", ["'Splits'", "Rename it to 'split'"]),
        ("image,labels\na.png,x\n", ["'labels'", "--label-column labels"]),
    ],
)
def test_a_bad_csv_is_one_line_with_the_mend(write_csv: Write, text: str, words: list[str]) -> None:
    path = write_csv(text)
    with pytest.raises(DataError) as caught:
        load_manifest(path)
    message = str(caught.value)
    assert "\n" not in message
    assert "list.csv" in message
    for word in words:
        assert word in message


def test_missing_images_are_counted_and_the_first_named(write_csv: Write, write_images: Write) -> None:
    path = write_csv("image,label\nhere.png,x\ngone1.png,x\ngone2.png,y\n", images=False)
    write_images(["here.png"])
    with pytest.raises(DataError, match=r"2 of 3 images that do not exist, the first 'gone1\.png'"):
        load_manifest(path)


def test_a_csv_in_another_encoding(write_csv: Write) -> None:
    with pytest.raises(DataError, match="not UTF-8"):
        load_manifest(write_csv("image,label\na.png,ödem\n", encoding="cp1252"))


@pytest.mark.parametrize(
    ("columns", "kind", "words"),
    [
        (["oedma"], DataError, "Did you mean 'oedema'"),
        (["oedema", "age"], DataError, "line 2: the label column 'age' holds '30'"),
        (["oedema", "effusion"], DataError, "line 3: the label column 'effusion' holds ''"),
        (["oedema", "oedema"], ConfigError, "repeat"),
    ],
)
def test_bad_label_columns(write_csv: Write, columns: list[str], kind: type[CassError], words: str) -> None:
    path = write_csv("image,oedema,effusion,age\na.png,1,0,30\nb.png,1,,1\n")
    with pytest.raises(kind, match=words):
        load_manifest(path, LabelSettings(label_columns=tuple(columns)))


def test_label_columns_need_a_csv(write_images: Write) -> None:
    with pytest.raises(DataError, match=r"without labels\.csv"):
        load_manifest(write_images(["a.png"]), LabelSettings(label_columns=("x",)))


def test_missing_sources(tmp_path: Path, write_images: Write) -> None:
    write_images(["scans/a.png"])
    with pytest.raises(DataError, match=r"scan does not exist\. Did you mean 'scans'"):
        load_manifest(tmp_path / "scan")
    (tmp_path / "notes.txt").write_text("notes")
    with pytest.raises(DataError, match="not a folder, an image or a table"):
        load_manifest(tmp_path / "notes.txt")


@pytest.mark.parametrize(
    ("folder", "count", "classes"), [("brain-tumour-mri", 4564, 4), ("white-blood-cells", 400, 5)]
)
def test_real_sets(folder: str, count: int, classes: int) -> None:
    path = SHARED / folder / "labels.csv"
    if not path.is_file():
        pytest.skip(f"no {folder} in ../shared/data beside the repository")
    manifest = load_manifest(path)
    assert len(manifest) == count
    assert len(manifest.classes) == classes
    assert manifest.labelled.all()
    assert manifest.splits is not None
    assert (manifest.groups is not None) == (folder == "brain-tumour-mri")
    assert list(manifest.metadata) == (["site"] if folder == "white-blood-cells" else [])
