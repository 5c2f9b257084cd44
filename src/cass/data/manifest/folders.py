"""What a folder of images says by its layout: classes, splits, or nothing."""

from __future__ import annotations

import logging
import os
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from cass.data.manifest.kinds import IMAGES, FileKind
from cass.errors import DataError
from cass.listing import plural
from cass.types import Split

log = logging.getLogger("cass")

SPLIT_NAMES: dict[str, Split] = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
}
"""Lower-case names by which people call the three splits."""


@dataclass(frozen=True)
class FolderLayout:
    """The images of a folder and what their places mean.

    Attributes:
        images: N paths relative to the folder, with forward slashes, sorted.
        labels: N class names, ``""`` where unlabelled.
        splits: N split names, or None where the folder has no split folders.
    """

    images: tuple[str, ...]
    labels: tuple[str, ...]
    splits: tuple[Split, ...] | None


def list_images(folder: Path, *, kind: FileKind = IMAGES) -> tuple[str, ...]:
    """List the image files under a folder, at any depth, without hidden ones.

    Args:
        folder: An existing folder.
        kind: Which files count.

    Returns:
        Paths relative to ``folder``, with forward slashes, sorted.

    Raises:
        DataError: There is no image of a format that cass reads; the message names what there is.
    """
    images: list[str] = []
    others: Counter[str] = Counter()
    seen: set[str] = set()  # linked folders are followed, but a link to a parent must not loop
    for where, below, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(where)
        if real in seen:
            below.clear()
            continue
        seen.add(real)
        inside = os.path.relpath(where, folder).replace(os.sep, "/")
        prefix = "" if inside == "." else f"{inside}/"
        below[:] = sorted(name for name in below if not name.startswith(".") and name != "__MACOSX")
        for name in files:
            if name.startswith("."):
                continue
            suffix = os.path.splitext(name)[1].lower()
            if kind.includes(os.path.join(where, name)):
                images.append(prefix + name)
            else:
                others[suffix] += 1
    if not images:
        found = ""
        if others:
            suffix, count = min(others.items(), key=lambda item: (-item[1], item[0]))
            found = f" (but {count} '{suffix}' files)" if suffix else f" (but {count} files without a suffix)"
        if not kind.images:
            raise DataError(f"Nothing to prepare in {folder}{found}", f"Files wanted: {', '.join(kind.suffixes)}.")
        raise DataError(
            f"No images in {folder}{found}",
            f"cass reads {', '.join(kind.suffixes)}, and DICOM without a suffix; cass prepare makes images of "
            "slides and NIfTI volumes. Convert other formats to PNG or TIFF first.",
        )
    return tuple(sorted(images))


def read_folder(folder: Path, *, kind: FileKind = IMAGES) -> FolderLayout:
    """Read classes and splits off the layout of a folder.

    Split folders (``train/ val/ test/``, also ``training``, ``validation``, ``valid``, ``dev``,
    ``testing``, in any case) are honoured, with classes where every image lies in one sub-folder of
    its split or directly in it (unlabelled). Otherwise the sub-folders are the classes where no
    image lies more than one level down and there are at least two of them; images beside them are unlabelled.
    Otherwise nothing is labelled.

    Args:
        folder: An existing folder.
        kind: Which files count.

    Returns:
        The layout, images sorted.

    Raises:
        DataError: No images; or train and test folders stand beside images that are in neither, so
            that honouring the splits is impossible and ignoring them would train on test images.
    """
    images = list_images(folder, kind=kind)
    depths = Counter(image.count("/") for image in images)
    tops = {_top(image) for image in images}
    as_splits = {top: SPLIT_NAMES.get(top.lower()) for top in tops}
    found = {split for split in as_splits.values() if split is not None}
    stray = sorted(top for top, split in as_splits.items() if split is None)

    if found and not stray:
        splits = tuple(SPLIT_NAMES[_top(image).lower()] for image in images)
        one_level = max(depths) <= 2
        labels = tuple(
            sys.intern(image.split("/")[1]) if one_level and image.count("/") == 2 else "" for image in images
        )
        return FolderLayout(images, labels, splits)
    if len(found) > 1:
        where = f"the folder {stray[0]!r}" if stray[0] else "images outside them"
        raise DataError(
            f"{folder} holds folders named after splits ({', '.join(sorted(found))}) beside {where}",
            "Move all images into the split folders (unlabelled ones directly into train), or write a CSV "
            "with the columns image,label,split.",
        )
    if len(tops - {""}) >= 2 and max(depths) == 1:
        if depths[0]:
            beside = next(image for image in images if "/" not in image)
            log.warning(
                "%s in %s beside the class folders (first: %s): unlabelled.",
                plural(depths[0], "image"),
                folder,
                beside,
            )
        return FolderLayout(images, tuple(_top(image) for image in images), None)
    return FolderLayout(images, ("",) * len(images), None)


def _top(image: str) -> str:
    """The folder that comes first in a path, kept as one string for all its images; "" where there is none."""
    folder, slash, _ = image.partition("/")
    return sys.intern(folder) if slash else ""
