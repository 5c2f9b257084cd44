"""NIfTI volumes cut into slices."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cass.data.formats.intensities import percentile_window, shares_of_white, to_uint16, window_bounds
from cass.data.formats.unreadable import Pixels, UnreadableImage

NIFTI_SUFFIXES = (".nii", ".nii.gz")
MOST_VOXELS = 1_000_000_000
SAMPLED = 10_000_000
"""Voxels that percentiles are taken of at most."""
GZIP_RATIO = 1100
"""Bytes that a byte of a gzip file can become at most, and a few."""

_AXES = {"sagittal": 0, "coronal": 1, "axial": 2}
_INSTALL = "Install it: pip install nibabel."


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
        volume = _open_volume(path)
        sources = _orientation(volume)[:, 0].tolist()
        return len(range(0, volume.shape[sources.index(_AXES[self.axis])], self.every))

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
        values = _upright(_open_volume(path))
        sample = values.ravel()[:: max(1, values.size // SAMPLED)]
        bounds = percentile_window(sample) if self.window == "percentile" else window_bounds(self.window)
        axis = _AXES[self.axis]
        for number in range(0, values.shape[axis], self.every):
            plane = np.take(values, number, axis=axis)
            if plane.size == 0 or plane.min() == plane.max() or not np.isfinite(plane).any():
                yield None
                continue
            pixels = to_uint16(shares_of_white(plane.T[::-1, ::-1], *bounds))
            yield f"{self.axis}-{number:04d}", np.ascontiguousarray(pixels)[..., None]


def _open_volume(path: Path) -> Any:
    """Open a volume, and see whether it can be cut."""
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
    return image


def _orientation(image: Any) -> NDArray[np.float64]:
    """Tell which way each axis leads: rows of (0 right, 1 front or 2 head; 1 or -1)."""
    from nibabel.orientations import io_orientation

    found: NDArray[np.float64] = io_orientation(image.affine)
    if not np.isfinite(found).all():
        raise ValueError("its header gives no orientation")
    return found


def _upright(image: Any) -> NDArray[np.float32]:
    """Read a volume, turned so that its axes lead to the right, the front and the head."""
    from nibabel.orientations import apply_orientation

    values = np.asanyarray(image.get_fdata(dtype=np.float32, caching="unchanged")).reshape(image.shape[:3])
    turned: NDArray[np.float32] = apply_orientation(values, _orientation(image))
    return turned
