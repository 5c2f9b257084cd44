"""Whole slides cut into tiles of tissue."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cass.data.formats.unreadable import Pixels, UnreadableImage

SLIDE_SUFFIXES = (".svs", ".tif", ".tiff", ".btf", ".ndpi", ".scn", ".bif", ".qptiff")
OVERVIEW = 2048
"""Pixels that the longer side of the picture has at most in which tissue is looked for."""
LEAST_SATURATION = 13
"""Of 255, below which a pixel is no stain, whatever the rest of the slide is like."""

_BAND = 1024
_INSTALL = "Install it: pip install zarr."


@dataclass(frozen=True)
class Tiling:
    """How slides are cut.

    Attributes:
        tile_size: Side of a tile, in pixels of its level.
        level: Level of the pyramid; 0 is the finest.
        tissue: Share of a tile, in [0, 1], that must be tissue.
    """

    tile_size: int = 256
    level: int = 0
    tissue: float = 0.5

    def count(self, path: Path) -> int:
        """Count the tiles of a slide, with or without tissue.

        Args:
            path: A TIFF file.

        Raises:
            UnreadableImage: As of :meth:`pictures`.
        """
        with _open_slide(path) as file:
            height, width = _level(path, file, self.level).shape[:2]
            return int((height // self.tile_size) * (width // self.tile_size))

    def pictures(self, path: Path) -> Iterator[tuple[str, Pixels] | None]:
        """Cut a slide, row by row; tiles that would extend past its edge are not written.

        Tissue is what is saturated (in a grey slide: what is bright): above the threshold of Otsu over the whole
        slide, and never below 5% of full saturation.

        Args:
            path: A TIFF file that tifffile reads: SVS, NDPI, SCN, OME-TIFF, or any other pyramid, or none.

        Yields:
            For each place of the grid the tile's name (its left upper corner, such as ``x000512-y001024``) and
            (S, S, C) uint8 or uint16 pixels; None where there is too little tissue.

        Raises:
            UnreadableImage: It is damaged, has no such level, is no grey or RGB picture, or zarr is missing.
        """
        with _open_slide(path) as file:
            series = _level(path, file, self.level)
            if series.dtype not in (np.uint8, np.uint16) or not _drawable(series):
                raise UnreadableImage(
                    path, f"it is {series.dtype} {series.shape}", "Grey and RGB slides of 8 or 16 bits can be cut."
                )
            mask = _tissue(_overview(file))
            source, (height, width), side = _lazy(series), series.shape[:2], self.tile_size
            for y in range(0, height - side + 1, side):
                kept = [
                    _share(mask, (y, x), side, (height, width)) >= self.tissue
                    for x in range(0, width - side + 1, side)
                ]
                band = source[y : y + side] if any(kept) and not series.keyframe.is_tiled else None
                for column, keep in enumerate(kept):
                    x = column * side
                    if not keep:
                        yield None
                        continue
                    tile = source[y : y + side, x : x + side] if band is None else band[:, x : x + side]
                    yield f"x{x:06d}-y{y:06d}", np.ascontiguousarray(tile.reshape(side, side, -1))


def _open_slide(path: Path) -> Any:
    try:
        import zarr  # noqa: F401
        from tifffile import TiffFile
    except ImportError:
        raise UnreadableImage(path, "cutting slides needs zarr", _INSTALL) from None
    return TiffFile(path)


def _level(path: Path, file: Any, number: int) -> Any:
    levels = file.series[0].levels
    if number >= len(levels):
        raise UnreadableImage(
            path, f"it has {len(levels)} levels, none numbered {number}", "Give a smaller --level."
        )
    return levels[number]


def _drawable(series: Any) -> bool:
    return bool(series.axes == "YX" or (series.axes == "YXS" and series.shape[2] == 3))


def _lazy(series: Any) -> Any:
    """Return an array of a level that reads what is asked of it."""
    import zarr

    opened = zarr.open(series.aszarr(), mode="r")
    return opened if isinstance(opened, zarr.Array) else opened["0"]


def _overview(file: Any) -> NDArray[Any]:
    """Read a small picture of the whole slide, from its coarsest level."""
    series = file.series[0].levels[-1]
    source = _lazy(series)
    step = max(1, -(-max(series.shape[:2]) // OVERVIEW))
    band = step * max(1, _BAND // step)
    return np.concatenate([source[y : y + band][::step, ::step] for y in range(0, series.shape[0], band)])


def _tissue(picture: NDArray[Any]) -> NDArray[np.bool_]:
    """Tell tissue from glass, in (H, W) or (H, W, 3)."""
    values = picture.astype(np.float64) * (255 / np.iinfo(picture.dtype).max)
    if values.ndim == 3:
        top = values.max(axis=2)
        values = 255 * (top - values.min(axis=2)) / np.maximum(top, 1)
    found: NDArray[np.bool_] = values > max(_otsu(values), LEAST_SATURATION)
    return found


def _otsu(values: NDArray[np.float64]) -> float:
    """Return the level that best parts values in [0, 255] in two.

    Source:
        N. Otsu, A Threshold Selection Method from Gray-Level Histograms, IEEE Trans. SMC 9 (1979), equation 18.
    """
    counts = np.bincount(values.astype(np.uint8).ravel(), minlength=256) / values.size
    below = np.cumsum(counts)
    first = np.cumsum(counts * np.arange(256))
    with np.errstate(divide="ignore", invalid="ignore"):
        between = (first[-1] * below - first) ** 2 / (below * (1 - below))
    return float(np.nanargmax(np.where(np.isfinite(between), between, -1)))


def _share(mask: NDArray[np.bool_], corner: tuple[int, int], side: int, size: tuple[int, int]) -> float:
    """Return the share of tissue in a tile."""
    spans = []
    for start, whole, small in zip(corner, size, mask.shape, strict=True):
        low = int(start * small / whole)
        spans.append(slice(low, max(low + 1, round((start + side) * small / whole))))
    return float(mask[tuple(spans)].mean())
