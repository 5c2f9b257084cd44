"""Plain sentences on what pretraining changed, and what to do where it did not help."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

from cass.reports.tables import Gain, ResultRow, gains, percent

HELPED, HARMED, UNCLEAR = "helped", "harmed", "unclear"
OUTCOMES = {
    HELPED: "pretraining helped",
    HARMED: "pretraining made worse",
    UNCLEAR: "no difference shown for",
}


def advice(rows: Sequence[ResultRow], *, collapsed: Collection[str] = ()) -> list[str]:
    """Say for each label fraction which branches pretraining helped, from the intervals of the differences.

    Args:
        rows: Results of both starts on the test images.
        collapsed: Names of the branches that the collapse watch found collapsed.

    Returns:
        A sentence for each label fraction that has both starts; then one on what to do instead, where a branch
        was harmed or has collapsed.
    """
    found = gains(rows)
    counts = {row.label_fraction: row.n_labels for row in rows}
    lines = []
    for fraction in dict.fromkeys(gain.label_fraction for gain in found):
        parts = []
        for outcome, text in OUTCOMES.items():
            there = [gain for gain in found if gain.label_fraction == fraction and _outcome(gain) == outcome]
            if there:
                parts.append(f"{text} {', '.join(map(_named, there))}")
        lines.append(f"With {100 * fraction:g}% of the labels ({counts[fraction]}): {'; '.join(parts)}.")
    reasons = dict.fromkeys((gain.branch for gain in found if _outcome(gain) == HARMED), "worse")
    reasons |= dict.fromkeys(collapsed, "collapsed")
    if reasons:
        named = ", ".join(f"{branch} ({reason})" for branch, reason in reasons.items())
        lines.append(
            f"Do not use this pretraining for {named}: fine-tune --without-pretraining, or pretrain again "
            "with a lower --lr."
        )
    return lines


def _outcome(gain: Gain) -> str:
    """Judge by the interval; without one nothing is shown."""
    difference = gain.difference
    if math.isnan(difference.low) or difference.low <= 0 <= difference.high:
        return UNCLEAR
    return HELPED if difference.low > 0 else HARMED


def _named(gain: Gain) -> str:
    """Write a branch with its difference in points."""
    return f"{gain.branch} ({percent(gain.difference, sign='+')})"
