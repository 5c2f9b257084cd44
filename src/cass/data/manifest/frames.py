"""Files of several pictures become a row for each; what belongs together becomes a group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from cass.data.formats.dicom import DICOM_SUFFIXES, frame_count, group_code, is_dicom, salt_of
from cass.data.formats.references import MARK, file_of, split_reference
from cass.data.formats.tiff import TIFF_SUFFIXES, tiff_pictures
from cass.files import cache_folder
from cass.parallel import for_each


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

    Returns:
        The frames; None where every file is a picture of its own and tells nothing of whom it shows.
    """
    dicom, tiff = _of_several(root, images)
    if not dicom and not tiff:
        return None
    files = {row: split_reference(root / images[row]) for row in (*dicom, *tiff)}
    numbers = {file: number for number, file in enumerate(dict.fromkeys(file for file, _ in files.values()))}
    frames = np.ones(len(images), dtype=np.int64)
    groups = [""] * len(images)
    salt = salt_of(cache_folder()) if group and dicom else ""
    rows = [*dicom, *tiff]

    def look(number: int) -> None:
        row = rows[number]
        file, part = files[row]
        if part is None:
            frames[row] = frame_count(file) if number < len(dicom) else tiff_pictures(file)
        if not group:
            return
        if number < len(dicom):
            groups[row] = group_code(file, salt=salt)
        if not groups[row] and (number < len(dicom) or part is not None or frames[row] > 1):
            groups[row] = f"file-{numbers[file]}"

    for_each(len(rows), look)
    if not dicom and not any(groups) and (frames == 1).all():
        return None
    names = [
        f"{name}{MARK}{number}" if count > 1 else name
        for name, count in zip(images, frames.tolist(), strict=True)
        for number in range(count)
    ]
    sources = np.repeat(np.arange(len(images), dtype=np.int64), frames)
    return Frames(sources, tuple(names), np.array(groups, dtype=np.str_) if group else None)


def _of_several(root: Path, images: Sequence[str]) -> tuple[list[int], list[int]]:
    """Find the rows of DICOM and of TIFF files; of DICOM in TIFF's clothes, DICOM."""
    dicom, tiff = list[int](), list[int]()
    for row, name in enumerate(images):
        suffix = PurePosixPath(file_of(name)).suffix.lower()
        if suffix in ("", *DICOM_SUFFIXES, *TIFF_SUFFIXES):
            if is_dicom(split_reference(root / name)[0]):
                dicom.append(row)
            elif suffix in TIFF_SUFFIXES:
                tiff.append(row)
    return dicom, tiff
