"""What ``cass benchmark`` may claim: paired differences over seeds, corrected for their number, in words."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cass.benchmarking.outcome import Outcome, describe, settings_of, share
from cass.evaluation.comparisons import Difference, Verdict, conclusion, holm, mean_over_cells, paired_difference

if TYPE_CHECKING:
    import pandas as pd

LEVELS = {
    "overall": "mean over data sets, branches and label fractions",
    "fraction": "mean over data sets and branches at each label fraction",
    "cell": "each data set, branch and label fraction",
}


@dataclass(frozen=True)
class Claim:
    """A tested difference.

    Attributes:
        level: ``overall``, ``fraction`` or ``cell``.
        setting: Network, fine-tuning, batch size and epochs.
        rival: What the claimed method is compared with.
        where: Data set, branch and label fraction, as far as the level tells them apart.
        difference: Claimed method minus rival, in balanced accuracy.
        corrected: p after Holm's correction within the level and setting; NaN where there is no test.
        verdict: What it shows.
    """

    level: str
    setting: tuple[Any, ...]
    rival: str
    where: str
    difference: Difference
    corrected: float
    verdict: Verdict


def compare_methods(outcome: Outcome) -> list[Claim]:
    """Test the claimed method against every other one, paired by seed.

    Means are taken over cells within a seed first, so that the seeds are the replicates; they are over the
    branches themselves, of which the mean of both is made, unless it alone is there. Holm's correction takes
    all comparisons of one level in one setting as a family.

    Args:
        outcome: What there is.

    Returns:
        The claims by setting and level.
    """
    claims: list[Claim] = []
    for setting, rows in settings_of(outcome):
        rivals = [name for name in outcome.methods if name != outcome.claim and name in set(rows["method"])]
        for level in LEVELS:
            found = [entry for rival in rivals for entry in _differences(rows, outcome.claim, rival, level=level)]
            corrected = holm([difference.p for _, _, difference in found])
            claims += [
                Claim(level, setting, rival, where, difference, float(p), conclusion(difference, float(p)))
                for (rival, where, difference), p in zip(found, corrected, strict=True)
            ]
    return claims


def _differences(rows: pd.DataFrame, claim: str, rival: str, *, level: str) -> list[tuple[str, str, Difference]]:
    """Return the paired differences of one level."""
    table = rows[rows["method"].isin([claim, rival])]
    if level != "cell" and set(table["branch"]) != {"mean"}:
        table = table[table["branch"] != "mean"]
    wide = table.pivot_table(
        index=["data", "branch", "label_fraction"], columns=["method", "seed"], values="value", dropna=False
    )
    if claim not in wide.columns.get_level_values(0) or rival not in wide.columns.get_level_values(0):
        return []
    seeds = sorted(set(wide.columns.get_level_values("seed")))
    first, second = (wide.reindex(columns=[(name, seed) for seed in seeds]) for name in (claim, rival))
    both = first.notna().any(axis=1) & second.notna().any(axis=1)  # a method may train one branch alone
    first, second = first[both], second[both]
    if level == "cell":
        names = [f"{data}, {branch}, {share(fraction)}" for data, branch, fraction in first.index]
        parts = [np.array([place]) for place in range(len(first))]
    elif level == "fraction":
        fractions = first.index.get_level_values("label_fraction").to_numpy()
        names = [share(fraction) for fraction in sorted(set(fractions))]
        parts = [np.flatnonzero(fractions == fraction) for fraction in sorted(set(fractions))]
    else:
        names, parts = ["all"], [np.arange(len(first))]
    return [
        (rival, name, _paired(first.to_numpy()[part], second.to_numpy()[part]))
        for name, part in zip(names, parts, strict=True)
        if len(part)
    ]


def _paired(first: NDArray[np.floating], second: NDArray[np.floating]) -> Difference:
    return paired_difference(mean_over_cells(first), mean_over_cells(second))


def sentence(claim: Claim, *, name: str) -> str:
    """Say in words what a comparison shows.

    Args:
        claim: The comparison.
        name: The claimed method.

    Returns:
        One sentence with the difference in points, its interval, the corrected p and the number of seeds.
    """
    entry, points = claim.difference, f"{100 * claim.difference.mean:+.1f} points"
    if claim.level == "overall":
        where = "On average over everything"
    else:
        where = f"On average at {claim.where} of the labels" if claim.level == "fraction" else f"On {claim.where}"
    if entry.n == 0:
        return f"{where}, {name} and {claim.rival} share no seed: no claim."
    if entry.n == 1:
        return f"{where}, {name} differs from {claim.rival} by {points}; one seed: no claim."
    if math.isnan(claim.corrected):
        return (
            f"{where}, {name} differs from {claim.rival} by the same {points} in each of {entry.n} seeds, "
            "which leaves a t-test undefined: no claim."
        )
    numbers = (
        f"{points}, 95% interval {100 * entry.low:+.1f} to {100 * entry.high:+.1f}, corrected p "
        f"{_p(claim.corrected)}, {entry.n} seeds"
    )
    if claim.verdict == "no difference shown":
        return f"{where}, no difference between {name} and {claim.rival} is shown ({numbers})."
    return f"{where}, {name} is {claim.verdict} than {claim.rival} ({numbers})."


def _p(value: float) -> str:
    return "below 0.001" if value < 0.001 else f"{value:.3f}"


def claims_markdown(outcome: Outcome) -> str:
    """Say in words what may be claimed."""
    name = outcome.claim
    parts = [
        f"# {outcome.name}: what may be claimed for {name}",
        f"Differences in balanced accuracy, {name} minus each other method, paired by seed (two-sided paired "
        "t-test; the interval is that of the single comparison). Means are taken over data sets and branches "
        "within a seed first, so that the seeds are the replicates; a seed without a result there is ignored. "
        "The p-values are corrected by Holm's procedure; a family is every comparison of one level in one "
        "setting, with all rivals.",
    ]
    if outcome.missing:
        parts.append(f"{len(outcome.missing)} results are missing; see tables.md.")
    claims = compare_methods(outcome)
    for setting in dict.fromkeys(claim.setting for claim in claims):
        parts.append(f"## {describe(setting)[0].upper()}{describe(setting)[1:]}")
        for level, meaning in LEVELS.items():
            family = [claim for claim in claims if claim.setting == setting and claim.level == level]
            if family:
                tests = sum(not math.isnan(claim.corrected) for claim in family)
                parts.append(f"### {meaning[0].upper()}{meaning[1:]} (family of {tests})")
                parts.append("\n".join(f"- {sentence(claim, name=name)}" for claim in family))
    if not claims:
        parts.append("There is nothing to compare yet.")
    return "\n\n".join(parts) + "\n"
