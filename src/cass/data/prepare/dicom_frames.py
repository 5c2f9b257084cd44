"""Which pictures of DICOM series to keep, and how to window them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cass.data.formats.dicom import place_in_series, read_dicom
from cass.data.formats.intensities import Window
from cass.data.formats.references import split_reference
from cass.data.formats.unreadable import Pixels
from cass.data.manifest.manifest import Manifest
from cass.parallel import for_each


@dataclass(frozen=True)
class Windowing:
    """How DICOM frames become pictures.

    Attributes:
        window: What becomes black and white; see :func:`cass.data.formats.dicom.read_dicom`.
    """

    window: Window = "file"

    def count(self, path: Path) -> int:
        """One picture a frame."""
        return 1

    def pictures(self, path: Path) -> Iterator[tuple[str, Pixels] | None]:
        """Decode a frame.

        Args:
            path: A DICOM file, or a frame of one, such as ``scan.dcm#3``.

        Yields:
            No name, and (H, W, C) uint8 or uint16 pixels.

        Raises:
            UnreadableImage: As of :func:`cass.data.formats.dicom.read_dicom`.
        """
        file, part = split_reference(path)
        yield "", read_dicom(file, part or 0, window=self.window)


def choose_frames(manifest: Manifest, frames: str) -> list[int]:
    """Choose pictures of each series: of the frames of a file, or of files of one SeriesInstanceUID.

    Args:
        manifest: N DICOM frames.
        frames: ``all``; ``middle`` for the one in the middle; or a number n for every nth, from the first on.

    Returns:
        Rows in [0, N), ascending. A series is ordered by its instance numbers.
    """
    if frames == "all":
        return list(range(len(manifest)))
    places: list[tuple[str, float]] = [("", 0.0)] * len(manifest)

    def look(row: int) -> None:
        file, part = split_reference(manifest.path(row))
        places[row] = place_in_series(file) if part is None else (f"file {file}", float(part))

    for_each(len(manifest), look)
    series: dict[str, list[int]] = {}
    for row in sorted(range(len(manifest)), key=lambda row: (places[row][1], manifest.images[row])):
        series.setdefault(places[row][0] or f"file {manifest.images[row]}", []).append(row)
    if frames == "middle":
        return sorted(rows[len(rows) // 2] for rows in series.values())
    return sorted(row for rows in series.values() for row in rows[:: int(frames)])
