"""BMP."""

from __future__ import annotations

from cass.data.formats.base import FORMATS
from cass.data.formats.pillow import PillowFormat


class Bmp(PillowFormat):
    """BMP, 8 bits."""

    name = "BMP"
    suffixes = (".bmp",)
    signatures = (b"BM",)


FORMATS.register("bmp")(Bmp())
