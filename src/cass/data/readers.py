"""Image files to arrays, in the file's own depth: JPEG, PNG, BMP, TIFF and DICOM, 8 and 16 bit."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from cass.data.dicom import DICOM_SUFFIXES, dicom_bits, has_magic, is_dicom, read_dicom
from cass.data.references import split_reference
from cass.data.unreadable import Pixels, UnreadableImage, check_size
from cass.errors import DataError

if TYPE_CHECKING:
    from PIL import Image

IMAGE_SUFFIXES: tuple[str, ...] = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", *DICOM_SUFFIXES)
"""Lower-case suffixes of the files that count as images; the reader itself goes by the content."""

_PNG = b"\x89PNG\r\n\x1a\n"
_TIFF = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")  # the latter two are BigTIFF
_KNOWN = (_PNG, *_TIFF, b"\xff\xd8\xff", b"BM")
_ORIENTATION = 274  # the tag has this number in EXIF and in TIFF


def read_image(path: Path) -> Pixels:
    """Decode an image, upright, in its own bit depth; 16 bit is never cut to 8.

    Palettes and CMYK become RGB, 1-bit becomes 8-bit grey, transparency is dropped, white-is-zero
    TIFFs are inverted, 9- to 15-bit samples are stretched to the 16-bit range. Of a TIFF with several
    pages the first is read; its channels beyond three are kept.

    Of DICOM see :func:`cass.data.dicom.read_dicom`.

    Args:
        path: A JPEG, PNG, BMP, TIFF or DICOM file, recognised by its content; or a frame of one, such as
            ``scan.dcm#3``.

    Returns:
        (H, W, C) uint8 or uint16; C is 1 for grey, 3 for RGB.

    Raises:
        UnreadableImage: The file is corrupt, truncated, of another format, or its samples are signed,
            32-bit or floating point; the message names the file and the reason.
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
            if part:
                raise UnreadableImage(path, f"it has no picture numbered {part}", "Mend the list of images.")
            if start.startswith(_TIFF):
                pixels: Pixels = _read_tiff(path)
            elif start.startswith(_PNG) and start[24] == 16:
                pixels = _read_png16(file.read())
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
        if start.startswith(_TIFF):
            from tifffile import TiffFile

            with TiffFile(path) as tiff:
                return 16 if _bits(tiff.pages[0]) > 8 else 8
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

    upright: Image.Image = Image.open(content, formats=("JPEG", "PNG", "BMP"))
    check_size(path, upright.width, upright.height)
    upright.load()
    ImageOps.exif_transpose(upright, in_place=True)
    if upright.mode in ("I", "I;16", "I;16B", "F"):
        # Only depths that Pillow alone understands come here; converting them would cut precision.
        raise UnreadableImage(path, f"pixel format {upright.mode}", "Save it as 16-bit TIFF.")
    wanted = "L" if upright.mode in ("1", "L", "LA", "La") else "RGB"
    return upright if upright.mode == wanted else upright.convert(wanted)


def _read_png16(content: bytes) -> Pixels:
    """16-bit PNG, which Pillow would cut to 8 bit where it has colour."""
    import imagecodecs
    from PIL import Image

    pixels: Pixels = imagecodecs.png_decode(content)
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    colours = 3 if pixels.shape[2] >= 3 else 1  # what is beyond is alpha
    with Image.open(io.BytesIO(content), formats=("PNG",)) as file:
        orientation = file.getexif().get(_ORIENTATION, 1)
    return _upright(pixels[..., :colours], orientation)


def _read_tiff(path: Path) -> Pixels:
    """First page of a TIFF."""
    from tifffile import EXTRASAMPLE, PHOTOMETRIC, TiffFile

    with TiffFile(path) as file:
        page: Any = file.pages[0]
        pixels: NDArray[Any] = page.asarray()
        photometric, axes, bits = page.photometric, page.axes, _bits(page)
        colormap = page.colormap
        alpha = [sample != EXTRASAMPLE.UNSPECIFIED for sample in page.extrasamples]
        tag = page.tags.get(_ORIENTATION)
        orientation = 1 if tag is None else int(tag.value)
    if pixels.dtype not in (np.bool_, np.uint8, np.uint16):
        raise UnreadableImage(
            path,
            f"its samples are {pixels.dtype}",
            "Save it as unsigned 8- or 16-bit; rescale the values if need be.",
        )
    if axes == "SYX":  # planar: one plane per channel
        pixels = np.moveaxis(pixels, 0, 2)
    elif axes == "YX":
        pixels = pixels[..., None]
    elif axes != "YXS":
        raise UnreadableImage(path, f"its first page has axes {axes}", "Save each plane as an image of its own.")
    if alpha and any(alpha):
        kept = [True] * (pixels.shape[2] - len(alpha)) + [not drop for drop in alpha]
        pixels = pixels[..., kept]

    if photometric == PHOTOMETRIC.PALETTE:
        # Colour maps are 16-bit by the standard even for 8-bit pictures: entry = value * 257 (or * 256).
        return _upright((colormap >> 8).astype(np.uint8).T[pixels[..., 0]], orientation)
    pixels = _full_range(pixels, bits)
    top = np.iinfo(pixels.dtype).max
    if photometric == PHOTOMETRIC.MINISWHITE:
        pixels = top - pixels
    elif photometric == PHOTOMETRIC.SEPARATED and pixels.shape[2] == 4:
        ink, black = pixels[..., :3].astype(np.uint64), pixels[..., 3:].astype(np.uint64)
        pixels = ((top - ink) * (top - black) // top).astype(pixels.dtype)
    elif photometric in (PHOTOMETRIC.CIELAB, PHOTOMETRIC.ICCLAB, PHOTOMETRIC.ITULAB):
        raise UnreadableImage(path, "its colours are CIE Lab", "Save it as RGB.")
    return _upright(pixels, orientation)


def _bits(page: Any) -> int:
    """The most bits a sample of a TIFF page has; a palette's entries are read as 8 bit."""
    if page.photometric == 3:
        return 8
    bits = page.bitspersample
    return int(max(bits)) if isinstance(bits, tuple) else int(bits)


def _full_range(pixels: NDArray[Any], bits: int) -> NDArray[Any]:
    """Stretch 1- to 7-bit samples to uint8 and 9- to 15-bit samples to uint16; one value stays one value."""
    dtype = np.uint8 if bits <= 8 else np.uint16
    if bits in (8, 16):
        return pixels.astype(dtype, copy=False)
    top, wanted = 2**bits - 1, int(np.iinfo(dtype).max)
    stretched: NDArray[Any] = (pixels.astype(np.uint32) * wanted + top // 2) // top
    return stretched.astype(dtype)


def _upright(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Undo an EXIF orientation (1 to 8; anything else counts as 1) of an (H, W, C) array."""
    if orientation in (5, 6, 7, 8):  # stored with rows and columns exchanged
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels
