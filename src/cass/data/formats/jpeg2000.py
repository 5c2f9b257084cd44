"""JPEG 2000, 8 to 16 bits."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal

from cass.data.formats.base import FORMATS
from cass.data.formats.intensities import full_range
from cass.data.formats.pillow import PillowFormat
from cass.data.formats.unreadable import Pixels, UnreadableImage, check_size

if TYPE_CHECKING:
    from PIL import Image

_STREAM = b"\xff\x4f\xff\x51"  # the markers SOC and SIZ, which every codestream starts with
_SEARCHED = 2**20  # bytes of the file in which the codestream must start


class Jpeg2000(PillowFormat):
    """JPEG 2000, as a JP2 file or a bare codestream; more than 8 bits are kept, as 16."""

    name = "JPEG 2000"
    pillow_name = "JPEG2000"
    suffixes = (".jp2", ".j2k", ".j2c", ".jpx", ".jpf")
    signatures = (b"\x00\x00\x00\x0cjP  \r\n\x87\n", _STREAM)

    def read(self, path: Path, file: BinaryIO, number: int) -> Pixels | Image.Image:
        """Decode an image; of more than 8 bits without Pillow, which would cut those with colour to 8 bits."""
        width, height, bits = _size_and_depth(path, file.read(_SEARCHED))
        file.seek(0)
        if bits <= 8:
            return super().read(path, file, number)
        import imagecodecs

        check_size(path, width, height, packed=os.fstat(file.fileno()).st_size)
        pixels = imagecodecs.jpeg2k_decode(file.read())
        if pixels.ndim == 2:
            pixels = pixels[..., None]
        colours = 3 if pixels.shape[2] >= 3 else 1  # what is beyond is alpha
        if pixels.dtype.kind != "u" or bits > 16:
            raise UnreadableImage(path, f"its samples are {pixels.dtype}", "Save it as unsigned 8- or 16-bit.")
        stretched: Pixels = full_range(pixels[..., :colours], bits)
        return stretched

    def bits(self, path: Path, start: bytes) -> Literal[8, 16]:
        """Return 16 where a sample has more than 8 bits."""
        with open(path, "rb") as file:
            return 16 if _size_and_depth(path, file.read(_SEARCHED))[2] > 8 else 8


def _size_and_depth(path: Path, start: bytes) -> tuple[int, int, int]:
    """Return width, height and bits of a sample, from the codestream's header.

    Source:
        ISO/IEC 15444-1, A.5.1: the marker segment SIZ.
    """
    at = start.find(_STREAM)
    header = start[at + 6 : at + 43]
    if at < 0 or len(header) < 37:
        raise UnreadableImage(path, "its header is damaged")
    right, bottom, left, top = struct.unpack(">4I", header[2:18])
    return right - left, bottom - top, (header[36] & 0x7F) + 1


FORMATS.register("jpeg2000")(Jpeg2000())
