"""A decoder for pydicom: JPEG of 12 bits (JPEG Extended), which GDCM leaves out, by imagecodecs."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydicom.pixels.decoders.base import DecodeRunner

JPEG_EXTENDED = "1.2.840.10008.1.2.4.51"
DECODER_DEPENDENCIES = {JPEG_EXTENDED: ("imagecodecs",)}
"""What pydicom asks of a decoder: transfer syntaxes, and the packages that they need."""


def is_available(uid: str) -> bool:
    """Tell pydicom whether a transfer syntax can be decoded."""
    return uid in DECODER_DEPENDENCIES


def decode_frame(encoded: bytes, runner: DecodeRunner) -> bytes:
    """Decode one frame.

    Args:
        encoded: The JPEG file.
        runner: What pydicom knows of the frame; samples of 12 bits take 16.

    Returns:
        The samples.

    Raises:
        RuntimeError: It is damaged.
    """
    import imagecodecs

    pixels = imagecodecs.jpeg8_decode(encoded)
    runner.set_option("bits_allocated", 8 * pixels.dtype.itemsize)
    return bytes(pixels.tobytes())


@cache
def add_decoder() -> None:
    """Make pydicom use it where no other decoder succeeds; once in a process."""
    from pydicom.pixels.decoders import JPEGExtended12BitDecoder

    JPEGExtended12BitDecoder.add_plugin("imagecodecs", (__name__, decode_frame.__name__))
