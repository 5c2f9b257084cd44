"""Image files to arrays, in the file's own depth: JPEG, PNG, BMP, TIFF and DICOM, 8 and 16 bit."""

from __future__ import annotations

import io
import os
import struct
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal

import numpy as np

from cass.data.formats.dicom import DICOM_SUFFIXES, dicom_bits, has_magic, is_dicom, read_dicom
from cass.data.formats.references import split_reference
from cass.data.formats.tiff import TIFF_MAGIC, TIFF_SUFFIXES, read_tiff, tiff_bits, upright
from cass.data.formats.unreadable import Pixels, UnreadableImage, check_size
from cass.errors import DataError

if TYPE_CHECKING:
    from PIL import Image

IMAGE_SUFFIXES: tuple[str, ...] = (".jpg", ".jpeg", ".png", ".bmp", *TIFF_SUFFIXES, *DICOM_SUFFIXES)
"""Lower-case suffixes of the files that count as images; the reader itself goes by the content."""

_PNG = b"\x89PNG\r\n\x1a\n"
_KNOWN = (_PNG, *TIFF_MAGIC, b"\xff\xd8\xff", b"BM")
_ORIENTATION = 274  # the tag has this number in EXIF and in TIFF


def read_image(path: Path) -> Pixels:
    """Decode an image, upright, in its own bit depth; 16 bit is never cut to 8.

    Palettes and CMYK become RGB, 1-bit becomes 8-bit grey, transparency is dropped. Of TIFF see
    :func:`cass.data.formats.tiff.read_tiff`, of DICOM :func:`cass.data.formats.dicom.read_dicom`.

    Args:
        path: A JPEG, PNG, BMP, TIFF or DICOM file, recognised by its content; or a picture of one, such as
            ``scan.dcm#3`` or ``stack.tif#0``.

    Returns:
        (H, W, C) uint8 or uint16; C is 1 for grey, 3 for RGB.

    Raises:
        UnreadableImage: The file is corrupt, truncated, of another format, or has no such picture; the message
            names the file and the reason.
    """
    picture = read_picture(path)
    if isinstance(picture, np.ndarray):
        return picture
    return picture_pixels(picture)


def read_picture(path: Path) -> Pixels | Image.Image:
    """Decode an image as :func:`read_image` does, but leave in Pillow what Pillow has decoded.

    Resizing it there saves two copies of the full-size picture, which no two threads can make at once.

    Args:
        path: A JPEG, PNG, BMP or TIFF file.

    Returns:
        A Pillow image of mode L or RGB for 8-bit JPEG, PNG and BMP, else an array as of :func:`read_image`.

    Raises:
        UnreadableImage: As of :func:`read_image`.
    """
    path, part = split_reference(path)
    try:
        with open(path, "rb") as file:  # opened once: on network drives that is what takes the time
            start = _start(file)
            file.seek(0)
            if has_magic(start) or (not start.startswith(_KNOWN) and is_dicom(path)):
                return read_dicom(path, part or 0)
            if part and not start.startswith(TIFF_MAGIC):
                raise UnreadableImage(path, f"it has no picture numbered {part}", "Mend the list of images.")
            if start.startswith(TIFF_MAGIC):
                pixels: Pixels = read_tiff(path, part or 0)
            elif start.startswith(_PNG) and start[24] == 16:
                pixels = _read_png16(path, file.read())
            else:
                return _read_pillow(path, file)
        if pixels.size == 0:
            raise UnreadableImage(path, "it has no pixels")
        return np.ascontiguousarray(pixels)
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


def image_bits(path: Path) -> Literal[8, 16]:
    """Bit depth of the array that :func:`read_image` returns, from the file's header alone.

    Args:
        path: A JPEG, PNG, BMP or TIFF file.

    Returns:
        16 where a sample has more than 8 bits, else 8.

    Raises:
        UnreadableImage: The header cannot be read.
    """
    path, _ = split_reference(path)
    try:
        with open(path, "rb") as file:
            start = _start(file)
        if has_magic(start) or (not start.startswith(_KNOWN) and is_dicom(path)):
            return 16 if dicom_bits(path) > 8 else 8
        if start.startswith(TIFF_MAGIC):
            return 16 if tiff_bits(path) > 8 else 8
        return 16 if start.startswith(_PNG) and start[24] == 16 else 8
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


def _start(file: BinaryIO) -> bytes:
    """The first 132 bytes, or a few less; enough to tell the format and a PNG's bit depth."""
    start = file.read(132)
    if len(start) < 32:
        raise ValueError("the file is empty" if not start else "the file is truncated")
    return start


def _reason(error: Exception) -> str:
    """A decoder's complaint in one short line."""
    from PIL import UnidentifiedImageError

    if isinstance(error, UnidentifiedImageError):
        return "not a JPEG, PNG, BMP or TIFF, or its header is corrupt"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return (" ".join(str(error).split()) or type(error).__name__)[:200]


def _read_pillow(path: Path, content: BinaryIO) -> Image.Image:
    """8-bit JPEG, PNG and BMP, as a picture of mode L or RGB."""
    from PIL import Image, ImageOps

    picture: Image.Image = Image.open(content, formats=("JPEG", "PNG", "BMP"))
    check_size(path, picture.width, picture.height, packed=os.fstat(content.fileno()).st_size)
    picture.load()
    ImageOps.exif_transpose(picture, in_place=True)
    if picture.mode in ("I", "I;16", "I;16B", "F"):
        # Only depths that Pillow alone understands come here; converting them would cut precision.
        raise UnreadableImage(path, f"pixel format {picture.mode}", "Save it as 16-bit TIFF.")
    wanted = "L" if picture.mode in ("1", "L", "LA", "La") else "RGB"
    return picture if picture.mode == wanted else picture.convert(wanted)


def _read_png16(path: Path, content: bytes) -> Pixels:
    """16-bit PNG, which Pillow would cut to 8 bit where it has colour."""
    import imagecodecs
    from PIL import Image

    width, height = struct.unpack(">II", content[16:24])
    check_size(path, width, height, packed=len(content))
    pixels: Pixels = imagecodecs.png_decode(content)
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    colours = 3 if pixels.shape[2] >= 3 else 1  # what is beyond is alpha
    with Image.open(io.BytesIO(content), formats=("PNG",)) as file:
        orientation = file.getexif().get(_ORIENTATION, 1)
    return upright(pixels[..., :colours], orientation)
