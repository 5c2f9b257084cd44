"""What failed around a command, such as the disk or the memory, as one line."""

from __future__ import annotations

import errno
from collections.abc import Iterator

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
FULL_WORDS = ("no space left", "disk quota", "file too large", "failed writing file", "streamwriter failed")
MEMORY_WORDS = (
    "cannot allocate memory",
    "can't allocate memory",
    "out of memory",
    "failed to map segment",
    "bad_alloc",
)


def failure_line(error: BaseException) -> str | None:
    """Say what failed around a command.

    Args:
        error: What it raised; the libraries wrap what the system says.

    Returns:
        One line with the fix; None for anything else, which is a defect of cass.
    """
    for each in _chain(error):
        words = str(each).lower()
        if (isinstance(each, OSError) and each.errno in FULL) or any(part in words for part in FULL_WORDS):
            place = f" ({each.filename})" if isinstance(each, OSError) and each.filename else ""
            return f"The disk is full{place}. Free some space, or choose another --out or --cache."
        if isinstance(each, MemoryError) or any(part in words for part in MEMORY_WORDS):
            return "Memory ran out. Close other programs, or lower --batch-size, --image-size or --num-workers."
        if isinstance(each, OSError) and each.filename is not None and each.strerror is not None:
            return f"{each.filename}: {each.strerror}. Check the path, its permissions and the disk."
    return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception and those that it came from."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
