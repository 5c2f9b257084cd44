"""Which files of a folder or table a command takes: images, or what `cass prepare` makes images of."""

from __future__ import annotations

import os.path
from dataclasses import dataclass
from pathlib import Path

from cass.data.formats.base import format_of, image_suffixes


@dataclass(frozen=True)
class FileKind:
    """A kind of file.

    Attributes:
        suffixes: Lower-case suffixes.
        images: Whether they are images: files without a suffix are then recognised by content, and a file that
            holds several images becomes a row for each.
    """

    suffixes: tuple[str, ...]
    images: bool = False

    def includes(self, path: str) -> bool:
        """Tell whether a file is of this kind; it is opened only where its name has no suffix."""
        if path.lower().endswith(self.suffixes):
            return True
        if not self.images or os.path.splitext(path)[1]:
            return False
        entry = format_of(Path(path))
        return entry is not None and entry.may_lack_suffix


IMAGES = FileKind(image_suffixes(), images=True)
