"""Intensities without a range of their own to shares of white."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

PERCENTILES = (0.5, 99.5)
"""What is shown as black and as white where nothing says so."""


Window: TypeAlias = Literal["file", "percentile"] | tuple[float, float]
"""What decides on black and white: the file, percentiles of the picture, or a centre and a width."""


def window_bounds(window: tuple[float, float]) -> tuple[float, float]:
    """Return what a window of this centre and width shows as black and as white."""
    centre, width = window
    return centre - width / 2, centre + width / 2


def percentile_window(values: NDArray[Any]) -> tuple[float, float]:
    """Find what to show as black and as white.

    Args:
        values: Intensities, any shape; NaN and infinities do not count.

    Returns:
        The 0.5th and 99.5th percentiles; the least and the greatest value where these are equal.
    """
    finite = values[np.isfinite(values)]
    low, high = np.percentile(finite, PERCENTILES) if finite.size else (0.0, 1.0)
    if high <= low:  # nearly all alike: what little differs is what there is to see
        low, high = float(finite.min(initial=np.inf)), float(finite.max(initial=-np.inf))
    return float(low), float(high)


def shares_of_white(values: NDArray[Any], low: float, high: float) -> NDArray[np.float64]:
    """Map intensities to shares of white.

    Args:
        values: Intensities, any shape.
        low: What becomes 0.
        high: What becomes 1.

    Returns:
        Shares in [0, 1], of the shape of ``values``; NaN and minus infinity become 0, infinity 1.
    """
    shares = (values.astype(np.float64) - low) / max(high - low, 1e-12)
    return np.nan_to_num(shares, nan=0.0, posinf=1.0, neginf=0.0).clip(0, 1)


def to_uint16(shares: NDArray[np.float64]) -> NDArray[np.uint16]:
    """Spread shares of white in [0, 1] over the range of 16 bits."""
    return (shares * 65535).round().astype(np.uint16)


def full_range(pixels: NDArray[Any], bits: int) -> NDArray[Any]:
    """Stretch 1- to 7-bit samples to uint8 and 9- to 15-bit samples to uint16; one value stays one value.

    Args:
        pixels: Samples, any shape.
        bits: Bits of a sample, 1 to 16.

    Returns:
        The same shape, uint8 or uint16; samples of 8 and 16 bits stay as they are.
    """
    dtype = np.uint8 if bits <= 8 else np.uint16
    if bits in (8, 16):
        return pixels.astype(dtype, copy=False)
    top, wanted = 2**bits - 1, int(np.iinfo(dtype).max)
    stretched: NDArray[Any] = (pixels.astype(np.uint32) * wanted + top // 2) // top
    return stretched.astype(dtype)
