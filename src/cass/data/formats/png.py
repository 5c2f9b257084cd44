"""PNG, 8 and 16 bits."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal

from cass.data.formats.base import FORMATS, START
from cass.data.formats.orientation import ORIENTATION, upright
from cass.data.formats.pillow import PillowFormat
from cass.data.formats.unreadable import Pixels, check_size

if TYPE_CHECKING:
    from PIL import Image

_DEPTH_AT = 24


class Png(PillowFormat):
    """PNG; files of 16 bits keep them."""

    name = "PNG"
    suffixes = (".png",)
    signatures = (b"\x89PNG\r\n\x1a\n",)

    def read(self, path: Path, file: BinaryIO, number: int) -> Pixels | Image.Image:
        """Decode an image; of 16 bits without Pillow, which would cut those with colour to 8 bits."""
        start = file.read(START)
        file.seek(0)
        return _read_16_bits(path, file.read()) if start[_DEPTH_AT] == 16 else super().read(path, file, number)

    def bits(self, path: Path, start: bytes) -> Literal[8, 16]:
        """Return 16 where the header says so."""
        return 16 if start[_DEPTH_AT] == 16 else 8


def _read_16_bits(path: Path, content: bytes) -> Pixels:
    import imagecodecs
    from PIL import Image

    width, height = struct.unpack(">II", content[16:24])
    check_size(path, width, height, packed=len(content))
    pixels: Pixels = imagecodecs.png_decode(content)
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    colours = 3 if pixels.shape[2] >= 3 else 1  # what is beyond is alpha
    with Image.open(io.BytesIO(content), formats=("PNG",)) as file:
        turned = file.getexif().get(ORIENTATION, 1)
    return upright(pixels[..., :colours], turned)


FORMATS.register("png")(Png())
