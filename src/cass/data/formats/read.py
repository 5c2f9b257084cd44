"""Image files to arrays, in the bit depth of the file, through the format that recognises them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal

import numpy as np

from cass.data.formats.base import START, Format, find_format, format_names
from cass.data.formats.references import split_reference
from cass.data.formats.unreadable import Pixels, UnreadableImage
from cass.errors import DataError

if TYPE_CHECKING:
    from PIL import Image

_FEWEST_BYTES = 32
"""No image file is shorter."""


def read_image(path: Path) -> Pixels:
    """Decode an image at its original bit depth, with its orientation applied; 16 bits are never reduced to 8.

    Palettes and CMYK become RGB, 1-bit becomes 8-bit grey, transparency is dropped. For TIFF see
    :func:`cass.data.formats.tiff.read_tiff`, for DICOM :func:`cass.data.formats.dicom.read_dicom`.

    Args:
        path: An image file, recognised by its content; or an image in one, such as ``scan.dcm#3`` or
            ``stack.tif#0``.

    Returns:
        (H, W, C) uint8 or uint16; C is 1 for grey, 3 for RGB.

    Raises:
        UnreadableImage: The file is damaged, truncated, of another format, or has no such image; the message
            names the file and the reason.
    """
    picture = read_picture(path)
    if isinstance(picture, np.ndarray):
        return picture
    return picture_pixels(picture)


def read_picture(path: Path) -> Pixels | Image.Image:
    """Decode an image as :func:`read_image` does, but leave in Pillow what Pillow has decoded.

    Resizing it there saves two copies of the full-size image, which no two threads can make at once.

    Args:
        path: As of :func:`read_image`.

    Returns:
        A Pillow image of mode L or RGB where Pillow decodes the format, else an array as of :func:`read_image`.

    Raises:
        UnreadableImage: As of :func:`read_image`.
    """
    path, part = split_reference(path)
    try:
        with open(path, "rb") as file:  # opened once: on network drives that is what takes the time
            entry, _ = _recognised(path, file)
            if part and not entry.holds_several:
                raise UnreadableImage(path, f"it has no image numbered {part}", "Fix the list of images.")
            picture = entry.read(path, file, part or 0)
        if not isinstance(picture, np.ndarray):
            return picture
        if picture.size == 0:
            raise UnreadableImage(path, "it has no pixels")
        return np.ascontiguousarray(picture)
    except UnreadableImage:
        raise
    except MemoryError:
        raise UnreadableImage(path, "it does not fit into memory", "Make it smaller.", passing=True) from None
    except Exception as error:  # decoders raise what they like: SyntaxError, struct.error, IndexError, ...
        passing = isinstance(error, OSError) and error.errno is not None
        raise UnreadableImage(path, _reason(error), passing=passing) from None


def picture_pixels(picture: Image.Image) -> Pixels:
    """Return the (H, W, C) uint8 pixels of a Pillow image of mode L or RGB."""
    pixels: Pixels = np.asarray(picture)
    return pixels[..., None] if pixels.ndim == 2 else pixels


def image_kind(path: Path) -> tuple[str, Literal[8, 16]]:
    """Return the format and the bit depth of an image; only its header is read.

    Args:
        path: As of :func:`read_image`.

    Returns:
        The name of the format, and 16 where a sample has more than 8 bits, else 8, as :func:`read_image` returns.

    Raises:
        UnreadableImage: The header cannot be read.
    """
    path, _ = split_reference(path)
    try:
        with open(path, "rb") as file:
            entry, start = _recognised(path, file)
        return entry.name, entry.bits(path, start)
    except UnreadableImage:
        raise
    except Exception as error:
        raise UnreadableImage(path, _reason(error)) from None


def to_channels(image: Pixels, in_chans: int) -> Pixels:
    """Fit an image to the number of channels a network takes.

    Args:
        image: (H, W, C) uint8 or uint16.
        in_chans: Channels wanted, 1 or more.

    Returns:
        (H, W, in_chans) of the same dtype: as it is where C fits, grey repeated, RGB to luminance
        (0.299 R + 0.587 G + 0.114 B, rounded) where one channel is wanted.

    Raises:
        DataError: C fits neither way; set ``in_chans`` to C or convert the images.

    Source:
        Luminance: ITU-R BT.601.
    """
    channels = image.shape[2]
    if channels == in_chans:
        return image
    if channels == 1:
        repeated: Pixels = np.empty((*image.shape[:2], in_chans), dtype=image.dtype)
        for channel in range(in_chans):  # numpy's own repeating and broadcasting take several times as long
            repeated[..., channel] = image[..., 0]
        return repeated
    if channels == 3 and in_chans == 1:
        # Integers, so that R = G = B comes out as exactly that value.
        weighted = image.astype(np.uint32) @ np.array([299, 587, 114], dtype=np.uint32)
        luminance: Pixels = ((weighted + 500) // 1000).astype(image.dtype)[..., None]
        return luminance
    raise DataError(
        f"An image has {channels} channels where {in_chans} are wanted",
        f"Set in_chans to {channels}, or convert the images.",
    )


def _recognised(path: Path, file: BinaryIO) -> tuple[Format, bytes]:
    """Find the format of an open file, and leave the file at its start."""
    start = file.read(START)
    file.seek(0)
    if len(start) < _FEWEST_BYTES:
        raise UnreadableImage(path, "the file is truncated" if start else "the file is empty")
    entry = find_format(path, start)
    if entry is None:
        raise UnreadableImage(path, f"not one of {format_names()}, or its header is damaged")
    return entry, start


def _reason(error: Exception) -> str:
    """A decoder's complaint in one short line."""
    from PIL import UnidentifiedImageError

    if isinstance(error, UnidentifiedImageError):
        return "its header is damaged"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return (" ".join(str(error).split()) or type(error).__name__)[:200]
