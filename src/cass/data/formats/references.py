"""Names of parts of a file: ``scan.dcm#3`` is the fourth frame of scan.dcm."""

from __future__ import annotations

import os
from pathlib import Path

MARK = "#"


def split_reference(path: Path) -> tuple[Path, int | None]:
    """Take a path apart into the file and the part of it that is meant.

    Args:
        path: A file, or a file and the number of one of its parts behind ``#``.

    Returns:
        The file, and the part from 0 on; None where the file as a whole is meant. A file whose own name holds a
        ``#`` is itself.
    """
    text = os.fspath(path)
    file, mark, part = text.rpartition(MARK)
    if not mark or not part.isdecimal() or os.path.exists(text):
        return path, None
    return Path(file), int(part)


def file_of(name: str) -> str:
    """Return the file's part of an image name, whether or not the file exists.

    Args:
        name: Such as ``a/scan.dcm#3``.
    """
    file, mark, part = name.rpartition(MARK)
    return file if mark and part.isdecimal() else name
