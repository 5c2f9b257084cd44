"""The orientation that EXIF and TIFF store beside the pixels."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

ORIENTATION = 274
"""Number of the tag, in EXIF and in TIFF."""


def upright(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Undo an EXIF orientation.

    Args:
        pixels: (H, W, C).
        orientation: 1 to 8; anything else counts as 1.

    Returns:
        (H, W, C), or (W, H, C) where the image was stored on its side.
    """
    if orientation in (5, 6, 7, 8):  # stored with rows and columns exchanged
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels
