"""NIfTI volumes cut into slices."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from cass.data.intensities import percentile_window, shares_of_white, to_uint16, window_bounds
from cass.data.unreadable import Pixels, UnreadableImage

NIFTI_SUFFIXES = (".nii", ".nii.gz")
MOST_VOXELS = 2_000_000_000
GZIP_RATIO = 1100
"""Bytes that a byte of a gzip file can become at most, and a few."""

_AXES = {"sagittal": 0, "coronal": 1, "axial": 2}
_INSTALL = "Install it: pip install 'cass-ssl[nifti]'."


@dataclass(frozen=True)
class Slicing:
    """How volumes are cut.

    Attributes:
        axis: Plane of the slices, by the orientation that the file gives.
        every: Every how many slices one is kept.
        window: ``percentile`` of the whole volume, or centre and width.
    """

    axis: Literal["axial", "coronal", "sagittal"] = "axial"
    every: int = 1
    window: Literal["percentile"] | tuple[float, float] = "percentile"

    def count(self, path: Path) -> int:
        """Count the slices to look at.

        Args:
            path: A NIfTI file.

        Raises:
            UnreadableImage: As of :meth:`pictures`.
        """
        return len(range(0, _open(path).shape[_AXES[self.axis]], self.every))

    def pictures(self, path: Path) -> Iterator[tuple[str, Pixels] | None]:
        """Cut a volume as radiologists look at it: the patient's right at the left, front or head up.

        Args:
            path: A ``.nii`` or ``.nii.gz`` file of three dimensions.

        Yields:
            For each slice its name, such as ``axial-0040``, counted from the feet, the back or the left, and
            (H, W, 1) uint16 pixels; None for one of a single value, which shows nothing.

        Raises:
            UnreadableImage: It is damaged, has not three dimensions, holds colours, or nibabel is missing.
        """
        volume = _open(path)
        values = np.asarray(volume.dataobj, dtype=np.float32).reshape(volume.shape[:3])
        bounds = percentile_window(values) if self.window == "percentile" else window_bounds(self.window)
        axis = _AXES[self.axis]
        for number in range(0, values.shape[axis], self.every):
            plane = np.take(values, number, axis=axis)
            if plane.size == 0 or plane.min() == plane.max() or not np.isfinite(plane).any():
                yield None
                continue
            pixels = to_uint16(shares_of_white(plane.T[::-1, ::-1], *bounds))
            yield f"{self.axis}-{number:04d}", np.ascontiguousarray(pixels)[..., None]


def _open(path: Path) -> Any:
    """Open a volume, turned so that its axes lead to the right, the front and the head."""
    try:
        import nibabel
    except ImportError:
        raise UnreadableImage(path, "NIfTI needs nibabel", _INSTALL) from None
    image: Any = nibabel.load(path)
    if len(image.shape) < 3 or any(size != 1 for size in image.shape[3:]):
        raise UnreadableImage(
            path, f"its shape is {image.shape}", "Give volumes of three dimensions; split series of volumes."
        )
    if image.get_data_dtype().kind not in "iufb":
        raise UnreadableImage(path, f"its voxels are {image.get_data_dtype()}", "Save it with numbers as voxels.")
    voxels = int(np.prod(image.shape))
    room = path.stat().st_size * (GZIP_RATIO if path.suffix == ".gz" else 1)
    if voxels < 1 or voxels > MOST_VOXELS or voxels * image.get_data_dtype().itemsize > room:
        raise UnreadableImage(path, f"its header claims {' x '.join(map(str, image.shape))} voxels")
    return nibabel.as_closest_canonical(image)
