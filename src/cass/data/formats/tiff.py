"""TIFF files to pixels: 1 to 32 bits, floating point, any number of channels, stacks of pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from cass.data.formats.base import FORMATS, Format
from cass.data.formats.intensities import full_range, percentile_window, shares_of_white, to_uint16
from cass.data.formats.orientation import ORIENTATION, upright
from cass.data.formats.unreadable import Pixels, UnreadableImage, check_size

_PLAIN = ("shaped", "generic", "uniform", "imagej", "ome")
"""Files whose pages are pictures; those of slide scanners hold levels, labels and thumbnails too."""


def tiff_pictures(path: Path) -> int:
    """Count the pictures of a TIFF: its pages of one size; channels of one picture count once.

    Args:
        path: A TIFF file.

    Returns:
        1 or more; 1 for a slide with its levels, and for a file that cannot be read, whose error comes when it is.
    """
    from tifffile import TiffFile

    try:
        with TiffFile(path) as file:
            return len(_pages_of_pictures(file))
    except Exception:
        return 1


def tiff_bits(path: Path) -> Literal[8, 16]:
    """Return 16 where a sample has more than 8 bits, else 8, from the header of the first page.

    Args:
        path: A TIFF file.
    """
    from tifffile import TiffFile

    with TiffFile(path) as file:
        page: Any = file.pages[0]
        return 16 if _bits(page) > 8 or page.dtype not in (np.bool_, np.uint8) else 8


def read_tiff(path: Path, picture: int = 0) -> NDArray[Any]:
    """Decode a picture, upright.

    Palettes and CMYK become RGB, 1-bit becomes 8-bit grey, alpha is dropped, white-is-zero is inverted, 9- to
    15-bit samples are stretched to the 16-bit range. Samples that are signed, of 32 bits or of floating point have
    no black and white of their own: the picture is stretched from its 0.5th to its 99.5th percentile into 16 bits.

    Args:
        path: A TIFF file.
        picture: Number of the picture, from 0; see :func:`tiff_pictures`.

    Returns:
        (H, W, C) uint8 or uint16; C is 1 for grey, 3 for RGB, or what the file says.

    Raises:
        UnreadableImage: It has no such picture, or is of a kind that cass does not read. Of a damaged file
            whatever tifffile raises.
    """
    from tifffile import PHOTOMETRIC, TiffFile

    with TiffFile(path) as file:
        pages: list[Any] = [file.pages[0]]
        if picture or len(file.pages) > 1:
            pictures = _pages_of_pictures(file)
            if picture >= len(pictures):
                raise UnreadableImage(
                    path, f"it has {len(pictures)} pictures, none numbered {picture}", "Fix the list of images."
                )
            pages = pictures[picture]
        first: Any = pages[0].keyframe  # a frame without tags of its own shares those of an earlier page
        samples = len(pages) * first.samplesperpixel * first.imagedepth
        check_size(path, first.imagewidth, first.imagelength, packed=path.stat().st_size, samples=samples)
        if first.photometric in (PHOTOMETRIC.CIELAB, PHOTOMETRIC.ICCLAB, PHOTOMETRIC.ITULAB):
            raise UnreadableImage(path, "its colours are CIE Lab", "Save it as RGB.")
        return _interpreted(path, first, [page.asarray() for page in pages])


def _pages_of_pictures(file: Any) -> list[list[Any]]:
    """Sort the pages of a file into pictures: the pages of each, more than one where each is a channel."""
    first = file.series[0]
    if first.kind not in _PLAIN or len(first.levels) > 1:
        return [[file.pages[0]]]
    found: list[list[Any]] = []
    for series in file.series:
        same = series.keyframe.shape == first.keyframe.shape and series.dtype == first.dtype
        if not same or series.kind != first.kind or len(series.levels) > 1 or series.keyframe.is_reduced:
            continue
        pages = [page for page in series.pages if page is not None]
        leading = series.axes[: len(series.axes) - len(series.keyframe.axes)]
        numbers: NDArray[np.int64] = np.arange(len(pages), dtype=np.int64)
        if "C" in leading and len(pages) == int(np.prod(series.shape[: len(leading)])):
            axis = leading.index("C")
            channels = series.shape[axis]
            numbers = np.moveaxis(numbers.reshape(series.shape[: len(leading)]), axis, -1).reshape(-1, channels)
        found += [[pages[number] for number in np.atleast_1d(picture)] for picture in numbers]
    return found


def _interpreted(path: Path, page: Any, planes: list[NDArray[Any]]) -> NDArray[Any]:
    """Make a picture of the samples of its page, or of several pages of one channel each."""
    from tifffile import EXTRASAMPLE, PHOTOMETRIC

    pixels = planes[0] if len(planes) == 1 else np.stack(planes, axis=-1)
    axes = page.axes if len(planes) == 1 else f"{page.axes}S"
    if axes == "SYX":  # planar: one plane per channel
        pixels = np.moveaxis(pixels, 0, 2)
    elif axes == "YX":
        pixels = pixels[..., None]
    elif axes != "YXS":
        raise UnreadableImage(path, f"its first page has axes {axes}", "Save each plane as an image of its own.")
    alpha = [sample != EXTRASAMPLE.UNSPECIFIED for sample in page.extrasamples]
    if alpha and any(alpha) and len(planes) == 1:
        kept = [True] * (pixels.shape[2] - len(alpha)) + [not drop for drop in alpha]
        pixels = pixels[..., kept]
    tag = page.tags.get(ORIENTATION)
    orientation = 1 if tag is None else int(tag.value)

    photometric = page.photometric
    if photometric == PHOTOMETRIC.PALETTE:
        # Colour maps are 16-bit by the standard even for 8-bit pictures: entry = value * 257 (or * 256).
        return upright((page.colormap >> 8).astype(np.uint8).T[pixels[..., 0]], orientation)
    if pixels.dtype in (np.bool_, np.uint8, np.uint16):
        pixels = full_range(pixels, _bits(page))
    elif pixels.dtype.kind in "iuf":
        pixels = to_uint16(shares_of_white(pixels, *percentile_window(pixels)))
    else:
        raise UnreadableImage(path, f"its samples are {pixels.dtype}", "Save it as unsigned 8- or 16-bit.")
    top = np.iinfo(pixels.dtype).max
    if photometric == PHOTOMETRIC.MINISWHITE:
        pixels = top - pixels
    elif photometric == PHOTOMETRIC.SEPARATED and pixels.shape[2] == 4:
        ink, black = pixels[..., :3].astype(np.uint64), pixels[..., 3:].astype(np.uint64)
        pixels = ((top - ink) * (top - black) // top).astype(pixels.dtype)
    return upright(pixels, orientation)


def _bits(page: Any) -> int:
    """The most bits a sample of a TIFF page has; a palette's entries are read as 8 bit."""
    if page.photometric == 3:
        return 8
    bits = page.bitspersample
    return int(max(bits)) if isinstance(bits, tuple) else int(bits)


class Tiff(Format):
    """TIFF, 8 and 16 bits; a file may hold several images."""

    name = "TIFF"
    suffixes = (".tif", ".tiff")
    signatures = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")  # the latter two are BigTIFF
    holds_several = True

    def read(self, path: Path, file: BinaryIO, number: int) -> Pixels:
        """Decode an image; see :func:`read_tiff`."""
        pixels: Pixels = read_tiff(path, number)
        return pixels

    def bits(self, path: Path, start: bytes) -> Literal[8, 16]:
        """Return 16 where a sample of the first page has more than 8 bits."""
        return tiff_bits(path)

    def count(self, path: Path) -> int:
        """Count the pages of one size; see :func:`tiff_pictures`."""
        return tiff_pictures(path)


FORMATS.register("tiff")(Tiff())
