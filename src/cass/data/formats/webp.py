"""WebP."""

from __future__ import annotations

from cass.data.formats.base import FORMATS
from cass.data.formats.pillow import PillowFormat


class WebP(PillowFormat):
    """WebP, 8 bits; of an animation the first image."""

    name = "WebP"
    pillow_name = "WEBP"
    suffixes = (".webp",)

    def recognises(self, start: bytes) -> bool:
        """Look for the two words of its container."""
        return start.startswith(b"RIFF") and start[8:12] == b"WEBP"


FORMATS.register("webp")(WebP())
