"""Checks of single files: unreadable, constant, turned, unlike the others."""

from __future__ import annotations

from collections import Counter

import numpy as np

from cass.auditing.facts import ImageFacts
from cass.auditing.findings import Finding
from cass.listing import MOST_NAMED, plural

RARE = 0.02
"""Share of the images below which a size or mode counts as odd."""


def check_files(facts: ImageFacts, *, split_command: str) -> list[Finding]:
    """Check each file by itself.

    Args:
        facts: Of N files.
        split_command: The command that writes a manifest without unreadable files.

    Returns:
        What was found.
    """
    return [*_unreadable(facts, split_command), *_constant(facts), *_turned(facts), *_odd(facts)]


def _unreadable(facts: ImageFacts, split_command: str) -> list[Finding]:
    if not facts.errors:
        return []
    reasons = Counter(facts.errors.values()).most_common(3)
    named = "; ".join(f"{reason} ({count:,})" for reason, count in reasons)
    return [
        Finding(
            "serious" if len(facts.errors) > 0.05 * len(facts) else "warning",
            "unreadable",
            f"{plural(len(facts.errors), 'file')} unreadable: {named}.",
            f"{split_command}   # writes a list without them",
            tuple(sorted(facts.errors)[:MOST_NAMED]),
            captions=tuple(facts.errors[row] for row in sorted(facts.errors)[:MOST_NAMED]),
        )
    ]


def _constant(facts: ImageFacts) -> list[Finding]:
    rows = np.flatnonzero(facts.constant & facts.readable)
    if not len(rows):
        return []
    what = f"{plural(len(rows), 'image')} {'is' if len(rows) == 1 else 'are'} of a single colour."
    return [Finding("warning", "empty", what, "Look at them, and remove them.", tuple(rows[:MOST_NAMED].tolist()))]


def _turned(facts: ImageFacts) -> list[Finding]:
    rows = [row for row, header in enumerate(facts.headers) if header and header.orientation != 1]
    if not rows:
        return []
    what = (
        f"{plural(len(rows), 'image')} {'is' if len(rows) == 1 else 'are'} stored rotated or mirrored (EXIF); "
        "cass rotates them upright, other programs may not."
    )
    return [Finding("note", "rotation", what, images=tuple(rows[:MOST_NAMED]))]


def _odd(facts: ImageFacts) -> list[Finding]:
    """Sizes and modes that few images have."""
    kinds = {
        row: f"{header.mode} of {header.bits} bits"
        for row, header in enumerate(facts.headers)
        if header is not None
    }
    sizes = {row: (header.width, header.height) for row, header in enumerate(facts.headers) if header is not None}
    found = []
    common = Counter(kinds.values())
    odd = [row for row, kind in kinds.items() if common[kind] < RARE * len(kinds)]
    if odd:
        named = ", ".join(sorted({kinds[row] for row in odd})[:5])
        usual = common.most_common(1)[0][0]
        what = f"{plural(len(odd), 'image')} with an unusual colour mode ({named}); most are {usual}."
        found.append(Finding("note", "modes", what, images=tuple(odd[:MOST_NAMED])))
    if sizes:
        sides = np.array([min(size) for size in sizes.values()])
        rows = np.array(list(sizes))
        middle = float(np.median(sides))
        strange = rows[(sides < middle / 4) | (sides > middle * 4)]
        if len(strange):
            what = (
                f"{plural(len(strange), 'image')} with a shorter side below a quarter or above four times the "
                f"median ({middle:.0f} pixels)."
            )
            found.append(Finding("note", "sizes", what, images=tuple(strange[:MOST_NAMED].tolist())))
    return found
