"""Plain sentences on what pretraining and pseudo-labels changed, and what to do where they did not help."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TypeAlias

from cass.evaluation.comparisons import ALPHA, holm
from cass.listing import plural
from cass.reports.tables import PRETRAINED, PSEUDO_LABELLED, Gain, ResultRow, gains, percent

HELPED, HARMED, UNCLEAR = "helped", "harmed", "unclear"
PRETRAINING_WORDS = {
    HELPED: "pretraining helped",
    HARMED: "pretraining made worse",
    UNCLEAR: "no difference shown for",
}
PSEUDO_LABEL_WORDS = {
    HELPED: "pseudo-labels helped",
    HARMED: "pseudo-labels made worse",
    UNCLEAR: "no effect of pseudo-labels shown for",
}

Judged: TypeAlias = tuple[Gain, str]
"""A difference, and whether it helped or harmed."""


def advice(rows: Sequence[ResultRow], *, collapsed: Collection[str] = ()) -> list[str]:
    """Say for each label fraction which branches pretraining and pseudo-labels helped, and what to use.

    Args:
        rows: Results of all starts on the test images.
        collapsed: Names of the branches that the collapse watch found collapsed.

    Returns:
        A sentence for each label fraction and pair of starts that is there; one on what to do instead, where a
        branch was harmed or has collapsed; and one on what a single run can show.
    """
    pretrained, taught = _judged(gains(rows, starts=PRETRAINED), gains(rows, starts=PSEUDO_LABELLED))
    counts = {row.label_fraction: row.n_labels for row in rows}
    lines = _by_fraction(pretrained, PRETRAINING_WORDS, counts) + _by_fraction(taught, PSEUDO_LABEL_WORDS, counts)
    reasons = dict.fromkeys(_harmed(pretrained), "worse") | dict.fromkeys(collapsed, "collapsed")
    if reasons:
        named = ", ".join(f"{branch} ({reason})" for branch, reason in reasons.items())
        lines.append(
            f"Do not use this pretraining for {named}: fine-tune --without-pretraining, or pretrain again "
            "with a lower --lr."
        )
    if harmed := _harmed(taught):
        lines.append(f"Do not use pseudo-labels for {', '.join(harmed)}: leave --unlabelled off.")
    elif any(outcome == HELPED for _, outcome in taught):
        lines.append("Pseudo-labels helped here: fine-tune with --unlabelled auto.")
    if count := len(pretrained) + len(taught):
        lines.append(
            f"Judged after Holm's correction for {plural(count, 'comparison')}; the intervals are those of single "
            "comparisons. This is one seed: repeat with other --seed values before you rely on a difference."
        )
    return lines


def _judged(*families: Sequence[Gain]) -> list[list[Judged]]:
    """Judge every difference by its p, corrected for the number of all of them; without one nothing is shown."""
    corrected = iter(holm([gain.p for family in families for gain in family]))
    return [
        [
            (gain, UNCLEAR if not next(corrected) < ALPHA else HELPED if gain.difference.value > 0 else HARMED)
            for gain in family
        ]
        for family in families
    ]


def _by_fraction(found: Sequence[Judged], words: dict[str, str], counts: dict[float, int]) -> list[str]:
    """Say for each label fraction which branches gained and which lost."""
    lines = []
    for fraction in dict.fromkeys(gain.label_fraction for gain, _ in found):
        parts = []
        for outcome, text in words.items():
            there = [gain for gain, was in found if gain.label_fraction == fraction and was == outcome]
            if there:
                parts.append(f"{text} {', '.join(map(_named, there))}")
        lines.append(f"With {100 * fraction:g}% of the labels ({counts[fraction]}): {'; '.join(parts)}.")
    return lines


def _harmed(found: Sequence[Judged]) -> list[str]:
    """Name the branches that lost at any label fraction."""
    return list(dict.fromkeys(gain.branch for gain, outcome in found if outcome == HARMED))


def _named(gain: Gain) -> str:
    """Write a branch with its difference in points."""
    return f"{gain.branch} ({percent(gain.difference, sign='+')})"
