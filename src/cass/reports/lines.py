"""Lines that several commands print."""

from __future__ import annotations

from collections.abc import Collection
from itertools import islice

from cass.errors import MOST_NAMED


def unreadable_files(names: Collection[str]) -> str:
    """Say how many files were unreadable, and name the first of them.

    Args:
        names: The files; of a mapping, its keys.

    Returns:
        The end of a line, such as ``; 2 unreadable: a.png, b.png``; empty where every file was read.
    """
    if not names:
        return ""
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f"; {len(names)} unreadable: {', '.join(islice(names, MOST_NAMED))}{more}"
