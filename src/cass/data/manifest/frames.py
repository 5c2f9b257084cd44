"""Files of several pictures become a row for each; what belongs together becomes a group."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from cass.data.formats.base import FORMATS, Format, format_of
from cass.data.formats.references import MARK, file_of, split_reference
from cass.data.formats.salt import salt_of
from cass.errors import DataError
from cass.files import cache_folder
from cass.listing import plural, some_of
from cass.parallel import for_each

log = logging.getLogger("cass")


@dataclass(frozen=True, eq=False)
class Frames:
    """The frames of a list of images.

    Attributes:
        sources: (M,) the image that each frame is of, in [0, N).
        names: M image names; of a file with several frames ``scan.dcm#0``, ``scan.dcm#1``, ...
        groups: (N,) groups of the images by patient; None where they were not asked for.
    """

    sources: NDArray[np.int64]
    names: tuple[str, ...]
    groups: NDArray[np.str_] | None


def list_frames(root: Path, images: Sequence[str], *, group: bool) -> Frames | None:
    """List every picture of the files that have several: frames of DICOM, pages of TIFF.

    Args:
        root: Folder that the names are relative to.
        images: N image names. One that names a picture itself, such as ``scan.dcm#3``, stays as it is.
        group: Whether to group them: a DICOM file by a code of its patient that cannot be traced back (or of its
            series, where it names no patient), and the pictures of one file with each other.

    Raises:
        DataError: No file holds a picture.

    Returns:
        The frames; None where every file is a picture of its own and tells nothing of whom it shows.
    """
    formats = _of_several(root, images)
    if not formats:
        return None
    rows = list(formats)
    files = {row: split_reference(root / images[row]) for row in rows}
    numbers = {file: number for number, file in enumerate(dict.fromkeys(file for file, _ in files.values()))}
    frames = np.ones(len(images), dtype=np.int64)
    groups = [""] * len(images)
    named = any(entry.names_patients for entry in formats.values())
    salt = salt_of(cache_folder()) if group and named else ""

    def look(number: int) -> None:
        row = rows[number]
        entry = formats[row]
        file, part = files[row]
        if part is None:
            frames[row] = entry.count(file)
        if not group:
            return
        groups[row] = entry.group(file, salt=salt)
        if not groups[row] and (entry.names_patients or part is not None or frames[row] > 1):
            groups[row] = f"file-{numbers[file]}"

    for_each(len(rows), look)
    if empty := [images[row] for row in rows if not frames[row]]:
        log.warning(
            "%s without an image (DICOM reports, structure sets and the like), not used: %s.",
            plural(len(empty), "file"),
            some_of(empty),
        )
        if not frames.any():
            raise DataError(
                f"No images in {root}: its DICOM files hold no image", "Give the folder of the images."
            )
    if not named and not any(groups) and (frames == 1).all():
        return None
    names = [
        f"{name}{MARK}{number}" if count > 1 else name
        for name, count in zip(images, frames.tolist(), strict=True)
        for number in range(count)
    ]
    sources = np.repeat(np.arange(len(images), dtype=np.int64), frames)
    return Frames(sources, tuple(names), np.array(groups, dtype=np.str_) if group else None)


def _of_several(root: Path, images: Sequence[str]) -> dict[int, Format]:
    """Find the rows of files that may hold several images, by content; the other files are not opened."""
    suffixes = {suffix for entry in FORMATS.values() if entry.holds_several for suffix in entry.suffixes}
    found: dict[int, Format] = {}
    for row, name in enumerate(images):
        if PurePosixPath(file_of(name)).suffix.lower() in ("", *suffixes):
            entry = format_of(split_reference(root / name)[0])
            if entry is not None and entry.holds_several:
                found[row] = entry
    return found
