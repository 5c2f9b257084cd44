"""Files of several pictures become a row for each, and patients of DICOM files become groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from cass.data.dicom import DICOM_SUFFIXES, frame_count, is_dicom, patient_code, salt_of
from cass.data.generated import cache_folder
from cass.data.parallel import for_each
from cass.data.references import MARK, file_of, split_reference


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
    """List every frame of DICOM files that have several, and group DICOM files by patient.

    Args:
        root: Folder that the names are relative to.
        images: N image names. One that names a frame itself, such as ``scan.dcm#3``, stays as it is.
        group: Whether to group them: a DICOM file by a code of its PatientID that cannot be traced back, or, where
            it has none, by itself.

    Returns:
        The frames; None where none of the images is DICOM.
    """
    likely = [
        row
        for row, name in enumerate(images)
        if PurePosixPath(file_of(name)).suffix.lower() in ("", *DICOM_SUFFIXES)
    ]
    files = {row: split_reference(root / images[row]) for row in likely}
    rows = [row for row in likely if is_dicom(files[row][0])]
    if not rows:
        return None
    frames = np.ones(len(images), dtype=np.int64)
    patients = [""] * len(images)
    salt = salt_of(cache_folder()) if group else ""
    numbers = {file: number for number, file in enumerate(dict.fromkeys(files[row][0] for row in rows))}

    def look(number: int) -> None:
        row = rows[number]
        file, part = files[row]
        if part is None:
            frames[row] = frame_count(file)
        if group:  # frames of one file belong together, whoever it shows
            patients[row] = patient_code(file, salt=salt) or f"file-{numbers[file]}"

    for_each(len(rows), look)
    names = [
        f"{name}{MARK}{number}" if count > 1 else name
        for name, count in zip(images, frames.tolist(), strict=True)
        for number in range(count)
    ]
    sources = np.repeat(np.arange(len(images), dtype=np.int64), frames)
    return Frames(sources, tuple(names), np.array(patients, dtype=np.str_) if group else None)
