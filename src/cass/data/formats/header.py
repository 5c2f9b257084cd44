"""What the header of an image file says, without its pixels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cass.data.formats.orientation import ORIENTATION
from cass.data.formats.read import image_kind, read_image
from cass.data.formats.references import split_reference

_MAKE = 271  # a tag of EXIF and TIFF


@dataclass(frozen=True)
class Header:
    """Facts of a file.

    Attributes:
        width: Pixels across, as stored.
        height: Pixels down, as stored.
        format: Such as ``JPEG``.
        mode: Colour mode by Pillow's names, such as ``L`` or ``RGB``.
        bits: 8 or 16.
        orientation: EXIF orientation, 1 to 8; 1 is upright.
        make: Maker of the camera or scanner by EXIF; "" where it is not given.
        size: Bytes of the file.
    """

    width: int
    height: int
    format: str
    mode: str
    bits: int
    orientation: int
    make: str
    size: int


def read_header(path: Path) -> Header:
    """Read the header of an image.

    Args:
        path: An image file, or an image in one.

    Returns:
        Its facts.

    Raises:
        UnreadableImage: The header cannot be read.
    """
    from PIL import Image

    name, bits = image_kind(path)
    try:
        with Image.open(path) as picture:  # no file of that name where a frame is meant
            exif = picture.getexif()
            return Header(
                width=picture.width,
                height=picture.height,
                format=name,
                mode=picture.mode,
                bits=bits,
                orientation=int(exif.get(ORIENTATION, 1) or 1),
                make=str(exif.get(_MAKE, "") or "").strip("\0 "),
                size=path.stat().st_size,
            )
    except Exception:  # Pillow raises what it likes; the picture itself may be readable all the same
        return _from_pixels(path, name, bits)


def _from_pixels(path: Path, name: str, bits: int) -> Header:
    """Tell the facts of a file that Pillow cannot open, such as a TIFF of six channels, from its pixels."""
    height, width, channels = read_image(path).shape
    path, _ = split_reference(path)
    mode = {1: "L", 3: "RGB"}.get(channels, f"{channels} channels")
    return Header(width, height, name, mode, bits, 1, "", path.stat().st_size)
