"""What ``cass benchmark`` may claim: differences paired by seed and test image, with verdicts, in words."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cass.benchmarking.outcome import Outcome, describe, score_cells, settings_of, share
from cass.evaluation.comparisons import MARGIN, Verdict, conclusion, holm
from cass.evaluation.resampling import Resampled, difference, resample

if TYPE_CHECKING:
    import pandas as pd

LEVELS = {
    "overall": "mean over data sets, branches and label fractions",
    "fraction": "mean over data sets and branches at each label fraction",
    "confirmation": "mean over the sets on which nothing was chosen, and over branches, at each label fraction",
    "source": "mean over branches on each data set at each label fraction",
    "cell": "each data set, branch and label fraction",
}
Key = tuple[str, str, float]


@dataclass(frozen=True)
class Claim:
    """A tested difference.

    Attributes:
        level: One of :data:`LEVELS`.
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
    difference: Resampled
    corrected: float
    verdict: Verdict


def compare_methods(outcome: Outcome) -> list[Claim]:
    """Test the claimed method against every other one, paired by seed and test image.

    Means are taken over cells within a seed first, data sources counting alike; they are over the branches
    themselves, of which the mean of both is made, unless it alone is there. Seeds and test groups are resampled
    together. Holm's correction takes all comparisons of one level in one setting as a family.

    Args:
        outcome: What there is.

    Returns:
        The claims by setting and level.
    """
    claims: list[Claim] = []
    for setting, rows in settings_of(outcome):
        rivals = [name for name in outcome.methods if name != outcome.claim and name in set(rows["method"])]
        for level in LEVELS:
            found = [entry for rival in rivals for entry in _differences(outcome, rows, rival, level=level)]
            corrected = holm([difference.p for _, _, difference in found])
            claims += [
                Claim(level, setting, rival, where, difference, float(p), conclusion(difference, float(p)))
                for (rival, where, difference), p in zip(found, corrected, strict=True)
            ]
    return claims


def _differences(
    outcome: Outcome, rows: pd.DataFrame, rival: str, *, level: str
) -> list[tuple[str, str, Resampled]]:
    """Return the paired differences of one level."""
    if level != "cell" and set(rows["branch"]) != {"mean"}:
        rows = rows[rows["branch"] != "mean"]
    if level == "confirmation":
        rows = rows[rows["data"].isin(outcome.confirmation)]
    first, second = (score_cells(outcome, rows[rows["method"] == name]) for name in (outcome.claim, rival))
    both = [key for key in first if key in second]  # a method may train one branch alone
    names: dict[str, list[Key]] = {}
    for key in sorted(both, key=lambda key: (key[2],) if level in ("fraction", "confirmation") else ()):
        names.setdefault(_where(key, level=level), []).append(key)
    found = []
    for name, keys in names.items():
        seeds = sorted({seed for key in keys for seed in (*first[key], *second[key])})
        cells = [[difference(first[key].get(seed), second[key].get(seed)) for seed in seeds] for key in keys]
        found.append((rival, name, resample(cells, sources=[outcome.sources[data] for data, _, _ in keys])))
    return found


def _where(key: Key, *, level: str) -> str:
    """Name a comparison by what its level tells apart."""
    data, branch, fraction = key
    return {
        "overall": "all",
        "fraction": share(fraction),
        "confirmation": share(fraction),
        "source": f"{data}, {share(fraction)}",
        "cell": f"{data}, {branch}, {share(fraction)}",
    }[level]


def sentence(claim: Claim, *, name: str) -> str:
    """Say in words what a comparison shows.

    Args:
        claim: The comparison.
        name: The claimed method.

    Returns:
        One sentence with the difference in points, its interval, the corrected p and the number of seeds.
    """
    entry = claim.difference
    points = f"{100 * entry.interval.value:+.1f} points"
    where = {
        "overall": "On average over everything",
        "fraction": f"On average at {claim.where} of the labels",
        "confirmation": f"On the confirmation sets at {claim.where} of the labels",
        "source": f"On {claim.where} of the labels",
    }.get(claim.level, f"On {claim.where}")
    if entry.seeds == 0:
        return f"{where}, {name} and {claim.rival} share no seed: no claim."
    if entry.seeds == 1:
        return f"{where}, {name} differs from {claim.rival} by {points}; one seed: no claim."
    if math.isnan(claim.corrected):
        return f"{where}, {name} differs from {claim.rival} by the same {points} in every resample: no claim."
    low, high = (
        entry.interval.value if math.isnan(end) else end for end in (entry.interval.low, entry.interval.high)
    )
    numbers = (
        f"{points}, 95% interval {100 * low:+.1f} to {100 * high:+.1f}, corrected p {_p(claim.corrected)}, "
        f"{entry.seeds} seeds"
    )
    if claim.verdict == "undecided":
        return f"{where}, it is undecided whether {name} or {claim.rival} is better ({numbers})."
    if claim.verdict == "not worse":
        return f"{where}, {name} is not worse than {claim.rival} by {100 * MARGIN:g} point or more ({numbers})."
    return f"{where}, {name} is {claim.verdict} than {claim.rival} ({numbers})."


def _p(value: float) -> str:
    return "below 0.001" if value < 0.001 else f"{value:.3f}"


def claims_markdown(outcome: Outcome) -> str:
    """Say in words what may be claimed."""
    name = outcome.claim
    parts = [
        f"# {outcome.name}: what may be claimed for {name}",
        f"Differences in balanced accuracy, {name} minus each other method, paired by seed and test image. Means "
        "are taken within a seed first; data sets of one source are averaged before sources are, so that sources "
        "count alike; a seed without a result there is ignored. The 95% interval is that of the one comparison: "
        "it resamples seeds and test images (patients, where they are known) together. 'Better' and 'worse' need "
        "a p below 0.05 after Holm's correction over the family: every comparison of one level in one setting, "
        f"with all rivals. 'Not worse' needs a lower end above -{100 * MARGIN:g} point. Everything else is "
        "undecided.",
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
