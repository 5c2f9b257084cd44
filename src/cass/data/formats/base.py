"""What every image format declares; the registry of formats. A format is one file in this folder."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, ClassVar, Literal

from cass.data.formats.unreadable import Pixels
from cass.registry import Registry

if TYPE_CHECKING:
    from PIL import Image

START = 132
"""Bytes at the start of a file that a format is recognised by."""


class Format(ABC):
    """An image format.

    Attributes:
        name: Its name in messages and in the audit, such as ``JPEG``.
        suffixes: Lower-case suffixes of its files. Files count as images by suffix, but are read by content.
        signatures: What its files start with.
        comes_first: Whether it is asked before the others; for a format whose files may carry the signature of
            another one besides its own.
        may_lack_signature: Whether a file of its suffix belongs to it even without its signature.
        may_lack_suffix: Whether a file of its signature counts as an image even without a suffix.
        holds_several: Whether a file may hold several images.
        names_patients: Whether :meth:`group` can tell whom a file shows.
    """

    name: ClassVar[str]
    suffixes: ClassVar[tuple[str, ...]]
    signatures: ClassVar[tuple[bytes, ...]] = ()
    comes_first: ClassVar[bool] = False
    may_lack_signature: ClassVar[bool] = False
    may_lack_suffix: ClassVar[bool] = False
    holds_several: ClassVar[bool] = False
    names_patients: ClassVar[bool] = False

    def recognises(self, start: bytes) -> bool:
        """Tell from its first 132 bytes whether a file is of this format."""
        return start.startswith(self.signatures)

    @abstractmethod
    def read(self, path: Path, file: BinaryIO, number: int) -> Pixels | Image.Image:
        """Decode an image at its original bit depth, with its orientation applied.

        Args:
            path: The file, for messages.
            file: The same file, open at its start.
            number: Which of its images, from 0; always 0 for a format whose files hold one.

        Returns:
            (H, W, C) uint8 or uint16, where C is 1 for grey and 3 for RGB; or a Pillow image of mode L or RGB.

        Raises:
            UnreadableImage: The image cannot be used. Of a damaged file whatever the decoder raises.
        """

    def bits(self, path: Path, start: bytes) -> Literal[8, 16]:
        """Return the bit depth of what :meth:`read` returns, from the header.

        Args:
            path: The file.
            start: Its first 132 bytes.
        """
        return 8

    def count(self, path: Path) -> int:
        """Count the images of a file, from its header; 1 for a file that cannot be read."""
        return 1

    def group(self, path: Path, *, salt: str) -> str:
        """Return a code of whom a file shows that cannot be traced back; "" where nothing is known.

        Args:
            path: The file.
            salt: A secret of this machine.
        """
        return ""


FORMATS: Registry[Format] = Registry("image format")


def image_suffixes() -> tuple[str, ...]:
    """Return the suffixes of all formats, in lower case."""
    return tuple(suffix for entry in FORMATS.values() for suffix in entry.suffixes)


def format_names() -> str:
    """Return the names of all formats, such as ``BMP, DICOM, JPEG, PNG and TIFF``."""
    *first, last = (entry.name for entry in FORMATS.values())
    return f"{', '.join(first)} and {last}"


def find_format(path: Path, start: bytes) -> Format | None:
    """Find the format of a file by its content, or else, where the format allows it, by its suffix.

    Args:
        path: The file.
        start: Its first 132 bytes.
    """
    for entry in sorted(FORMATS.values(), key=lambda entry: not entry.comes_first):
        if entry.recognises(start):
            return entry
    suffix = path.suffix.lower()
    if not start:
        return None
    return next(
        (entry for entry in FORMATS.values() if entry.may_lack_signature and suffix in entry.suffixes), None
    )


def format_of(path: Path) -> Format | None:
    """Open a file and find its format.

    Args:
        path: A file.

    Returns:
        The format; None where it is of none, or cannot be opened.
    """
    try:
        with open(path, "rb") as file:
            return find_format(path, file.read(START))
    except OSError:
        return None
