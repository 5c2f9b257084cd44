"""Counting and naming files: plurals, the one cap, and the lines that name up to so many."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from itertools import islice

MOST_NAMED = 20
"""Most files that a message names one by one."""

log = logging.getLogger("cass")


def plural(count: int, word: str, words: str = "") -> str:
    """Write a count with its noun, such as ``1 image`` or ``1,200 images``."""
    return f"{count:,} {word if count == 1 else words or word + 's'}"


def some_of(names: Collection[str]) -> str:
    """Name the first of some files, such as ``a.png, b.png and 3 more``.

    Args:
        names: The files; of a mapping, its keys.
    """
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f"{', '.join(islice(names, MOST_NAMED))}{more}"


def warn_unreadable(reasons: Mapping[str, str], *, before: int = 0) -> None:
    """Log which images are unreadable and why, a line each, up to the cap.

    Args:
        reasons: Reason by name.
        before: Unreadable images that have been logged already.
    """
    for name, reason in islice(reasons.items(), max(0, MOST_NAMED - before)):
        log.warning("Unreadable: %s (%s).", name, reason)
    if before <= MOST_NAMED < before + len(reasons):
        log.warning("Further unreadable images are only counted.")
