"""Lines that several commands print."""

from __future__ import annotations

from collections.abc import Collection

from cass.listing import some_of


def unreadable_files(names: Collection[str]) -> str:
    """Say how many files were unreadable, and name the first of them.

    Args:
        names: The files; of a mapping, its keys.

    Returns:
        The end of a line, such as ``; 2 unreadable: a.png, b.png``; empty where every file was read.
    """
    return f"; {len(names)} unreadable: {some_of(names)}" if names else ""


def duration(seconds: float) -> str:
    """Write a time for people, such as ``45 s``, ``12 min`` or ``3.5 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
