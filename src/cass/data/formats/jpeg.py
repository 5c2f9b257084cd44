"""JPEG."""

from __future__ import annotations

from cass.data.formats.base import FORMATS
from cass.data.formats.pillow import PillowFormat


class Jpeg(PillowFormat):
    """JPEG, 8 bits."""

    name = "JPEG"
    suffixes = (".jpg", ".jpeg")
    signatures = (b"\xff\xd8\xff",)


FORMATS.register("jpeg")(Jpeg())
