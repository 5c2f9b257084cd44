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


def plain_cell(text: str) -> str:
    """Keep a spreadsheet from computing a cell: what it would take for a formula gets an apostrophe in front.

    Args:
        text: Such as a file name or a class.

    Returns:
        The text; single signs and numbers stay as they are. :func:`cell_text` is the way back.

    Source:
        OWASP, CSV Injection: cells that begin with = + - @, a tab or a carriage return.
    """
    return f"'{text}" if _is_formula(text.lstrip("'")) else text


def cell_text(cell: str) -> str:
    """Return what :func:`plain_cell` was given."""
    return cell[1:] if cell.startswith("'") and _is_formula(cell.lstrip("'")) else cell


def plain_path(path: str) -> str:
    """Keep a spreadsheet from computing a relative path: ``./`` in front changes nothing else."""
    return f"./{path}" if _is_formula(path) else path


def _is_formula(text: str) -> bool:
    if len(text) < 2 or text[0] not in "=+-@\t\r":
        return False
    try:
        float(text)
    except ValueError:
        return True
    return False
