"""The list of images and splits that a run keeps: written, read again, and compared with the images there are."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cass.data.manifest.manifest import Manifest
from cass.errors import DataError, OutputError
from cass.files import write_text
from cass.types import SPLITS, Split

_COLUMNS = ["image", "digest", "split"]


def write_splits(path: Path, manifest: Manifest, splits: NDArray[np.str_], digests: Sequence[str]) -> None:
    """Write the splits of a run, without groups or labels: a group may be a patient's number.

    Args:
        path: CSV file to write; it appears whole or not at all.
        manifest: N images.
        splits: (N,) of ``train``, ``val``, ``test``.
        digests: N content digests.

    Raises:
        OutputError: The folder cannot be written; free space or choose another.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows(zip(manifest.images, digests, splits.tolist(), strict=True))
    try:
        write_text(path, text.getvalue())
    except OSError as error:
        raise OutputError(f"Cannot write {path} ({error.strerror or error})", "Choose another folder.") from None


def read_splits(path: Path) -> dict[str, Split]:
    """Read what :func:`write_splits` wrote.

    Args:
        path: ``splits.csv`` of a run.

    Returns:
        Digest -> split. Copies of one image in several splits count as the one that saw most of it:
        train before val before test.

    Raises:
        OutputError: The file is missing or damaged; the run has to be made again.
    """
    found: dict[str, Split] = {}
    for digest, split in _kept_rows(path):
        found[digest] = min(found.get(digest, split), split, key=SPLITS.index)
    return found


def require_same_images(path: Path, manifest: Manifest, digests: Sequence[str]) -> None:
    """Make sure that a run continues on the images that it began with: what it learned and kept is by their order.

    Args:
        path: ``splits.csv`` of the run.
        manifest: N images.
        digests: Their N content digests.

    Raises:
        DataError: An image has changed, or there are others, or they are in another order; restore them.
        OutputError: The file is missing or damaged; the run has to be made again.
    """
    before = [digest for digest, _ in _kept_rows(path)]
    if before == list(digests):
        return
    if len(before) == len(digests) and sorted(before) != sorted(digests):
        other = [row for row, (old, new) in enumerate(zip(before, digests, strict=True)) if old != new]
        changed = f"{len(other)} of {len(digests)} images changed since the run with {path} began"
        what = f"{changed}, the first {manifest.images[other[0]]!r}"
    elif len(before) == len(digests):
        what = f"The {len(digests)} images are in another order than when the run with {path} began"
    else:
        what = f"There are {len(digests)} images, and there were {len(before)} when the run with {path} began"
    raise DataError(what, "Restore the images and their table, or start a new run with another --out.")


def _kept_rows(path: Path) -> list[tuple[str, Split]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return [
                (row["digest"], next(name for name in SPLITS if name == row["split"]))
                for row in csv.DictReader(file)
            ]
    except (OSError, KeyError, StopIteration, csv.Error, UnicodeDecodeError):
        raise OutputError(
            f"{path} is missing or not a list of splits",
            "Give the folder of a finished run, or run it again.",
        ) from None
