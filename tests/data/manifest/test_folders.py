from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cass.data.manifest.folders import list_images, read_folder
from cass.errors import DataError

Write = Callable[..., Path]


def test_hidden_and_other_files_are_passed_over(write_images: Write) -> None:
    folder = write_images(["b.PNG", "a/c.png", ".hidden.png", ".cache/d.png", "__MACOSX/e.png"])
    (folder / "notes.txt").write_text("x")
    assert list_images(folder) == ("a/c.png", "b.PNG")


def test_a_link_to_a_parent_does_not_loop(write_images: Write) -> None:
    folder = write_images(["a/c.png"])
    (folder / "a" / "up").symlink_to(folder, target_is_directory=True)
    assert list_images(folder) == ("a/c.png",)


def test_any_nesting_is_unlabelled(write_images: Write) -> None:
    layout = read_folder(write_images(["x/1/a.png", "y/b.png", "c.png"]))
    assert layout.images == ("c.png", "x/1/a.png", "y/b.png")
    assert set(layout.labels) == {""}
    assert layout.splits is None


def test_a_single_sub_folder_is_no_class(write_images: Write) -> None:
    assert read_folder(write_images(["all/a.png", "all/b.png"])).labels == ("", "")


def test_split_folders_with_classes_and_unlabelled_images(write_images: Write) -> None:
    layout = read_folder(
        write_images(["Training/ill/a.png", "Training/u.png", "valid/ill/b.png", "Testing/well/c.png"])
    )
    assert dict(zip(layout.images, zip(layout.splits or (), layout.labels, strict=True), strict=True)) == {
        "Training/ill/a.png": ("train", "ill"),
        "Training/u.png": ("train", ""),
        "valid/ill/b.png": ("val", "ill"),
        "Testing/well/c.png": ("test", "well"),
    }


def test_split_folders_of_deeper_nesting_keep_the_splits(write_images: Write) -> None:
    layout = read_folder(write_images(["train/ill/p1/a.png", "test/ill/b.png"]))
    assert layout.splits == ("test", "train")
    assert layout.labels == ("", "")


def test_split_folders_beside_others_are_refused(write_images: Write) -> None:
    folder = write_images(["train/x/a.png", "test/x/b.png", "more/c.png"])
    with pytest.raises(DataError, match=r"beside the folder 'more'"):
        read_folder(folder)


def test_no_images_names_the_formats_and_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"No images in .*\. cass reads \.bmp, .*\.tiff"):
        list_images(tmp_path)
    (tmp_path / "a.gif").write_bytes(b"x")
    with pytest.raises(DataError, match=r"but 1 '\.gif' files"):
        list_images(tmp_path)
