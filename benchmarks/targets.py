"""Check the results of small.yaml against the targets of cass: which are met, and which are missed.

Every difference is paired by seed and test image; its 95% interval resamples seeds and test groups together, and
data sources count alike, as in claims.md. A target is met only where the interval says so.
Usage: python benchmarks/targets.py benchmarks/small.yaml runs/small [--seeds 0,1,2]
Writes targets.md and a picture of each gain there.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from forest import Line, draw_forest

from cass.benchmarking.cells import expand
from cass.benchmarking.outcome import Outcome, score_cells, scores, share
from cass.benchmarking.results import collect
from cass.benchmarking.spec import read_spec
from cass.evaluation.comparisons import MARGIN
from cass.evaluation.resampling import Resampled, difference, resample
from cass.files import write_text
from cass.reports.tables import Cells, percent

BRANCHES = ("cnn", "transformer")
MEAN = ("mean",)
PRETRAINING = {0.01: 0.04, 0.1: 0.05, 1.0: 0.02}
TEACHING = {0.01: 0.03, 0.1: 0.03}
TOGETHER = {0.01: 0.08, 0.1: 0.08}
FULL = 0.02
RANK_KEPT = 0.5
MET = "met"
ALL, CONFIRMATION = "all", "confirmation sets"


@dataclass(frozen=True)
class Arm:
    """One side of a comparison.

    Attributes:
        method: Method of the benchmark.
        protocol: Fine-tuning of the benchmark.
    """

    method: str
    protocol: str


@dataclass(frozen=True)
class Comparison:
    """Two arms, and how much the first should gain.

    Attributes:
        name: Name of its picture.
        title: Title of its table.
        first: The arm of interest.
        second: Its baseline.
        branches: Branches to average over.
        targets: Least gain by label fraction.
        overall: Least gain in the mean of the label fractions, where there is such a target.
    """

    name: str
    title: str
    first: Arm
    second: Arm
    branches: Sequence[str]
    targets: dict[float, float]
    overall: float | None = None


CASS, NONE, TAUGHT = Arm("cass", "probe"), Arm("none", "probe"), Arm("cass", "taught")
COMPARISONS = (
    Comparison(
        "gain-probe",
        "Pretraining over no pretraining, linear probe, mean over both branches",
        CASS,
        NONE,
        BRANCHES,
        PRETRAINING,
    ),
    Comparison(
        "gain-taught",
        "Pseudo-labels over the labels alone, from pretrained networks, linear probe, mean of both",
        TAUGHT,
        CASS,
        MEAN,
        TEACHING,
    ),
    Comparison(
        "gain-taught-over-none",
        "Pretraining and pseudo-labels over neither, linear probe, mean of both",
        TAUGHT,
        NONE,
        MEAN,
        TOGETHER,
    ),
    Comparison(
        "gain-full",
        "Pretraining over no pretraining, full fine-tuning, mean over both branches",
        Arm("cass", "full"),
        Arm("none", "full"),
        BRANCHES,
        dict.fromkeys(PRETRAINING, FULL),
        overall=FULL,
    ),
)


def compare(
    outcome: Outcome,
    first: Arm,
    second: Arm,
    *,
    branches: Sequence[str],
    fractions: Collection[float],
    data: Collection[str] | None = None,
) -> Resampled:
    """Average the difference of two arms over data sets, branches and label fractions.

    Args:
        outcome: What the benchmark has found.
        first: The arm of interest.
        second: Its baseline.
        branches: Branches to average over.
        fractions: Label fractions to average over.
        data: Data sets to average over; default: all.

    Returns:
        First minus second, in balanced accuracy.
    """
    rows = scores(outcome)
    rows = rows[rows["branch"].isin(branches) & rows["label_fraction"].isin(list(fractions))]
    if data is not None:
        rows = rows[rows["data"].isin(list(data))]
    one, two = (
        score_cells(outcome, rows[(rows["method"] == arm.method) & (rows["protocol"] == arm.protocol)])
        for arm in (first, second)
    )
    keys = [key for key in one if key in two]
    seeds = sorted({seed for key in keys for seed in (*one[key], *two[key])})
    cells = [[difference(one[key].get(seed), two[key].get(seed)) for seed in seeds] for key in keys]
    return resample(cells, sources=[outcome.sources[name] for name, _, _ in keys])


def met(found: Resampled, *, least: float, above: float = 0.0) -> str:
    """Say whether a gain reaches its target and its interval lies above a bound."""
    if found.seeds < 2:
        return "not measured"
    low = found.interval.value if math.isnan(found.interval.low) else found.interval.low  # equal in every resample
    if found.interval.value >= least and low > above:
        return MET
    return "**missed**"


@dataclass(frozen=True)
class Gain:
    """A measured gain.

    Attributes:
        labels: Label fraction in words.
        data: Data set, or which of them.
        found: First arm minus second.
        least: Least gain that the target asks for, or None where it only asks for an interval above a bound.
        target: The target in words.
        verdict: Whether it is met.
    """

    labels: str
    data: str
    found: Resampled
    least: float | None
    target: str
    verdict: str


def measure(outcome: Outcome, asked: Comparison) -> list[Gain]:
    """Return a gain at each label fraction over all sets, over the confirmation sets, and over each set.

    Where the mean of the label fractions has a target, so does the last gain.
    """
    groups = {ALL: tuple(outcome.sources), CONFIRMATION: outcome.confirmation}
    groups |= {name: (name,) for name in outcome.sources}
    gains = []
    for fraction, least in asked.targets.items():
        for name, data in groups.items():
            found = compare(
                outcome, asked.first, asked.second, branches=asked.branches, fractions=[fraction], data=data
            )
            if name == ALL:
                wanted, verdict = f"+{100 * least:g}, above 0", met(found, least=least)
            elif name == CONFIRMATION:
                wanted, verdict = "above 0", met(found, least=0.0)
            else:
                wanted, verdict = f"above -{100 * MARGIN:g}", met(found, least=-MARGIN, above=-MARGIN)
            gains.append(Gain(share(fraction), name, found, least if name == ALL else None, wanted, verdict))
    if asked.overall is not None:
        found = compare(outcome, asked.first, asked.second, branches=asked.branches, fractions=asked.targets)
        wanted, verdict = f"+{100 * asked.overall:g}, above 0", met(found, least=asked.overall)
        gains.append(Gain("their mean", ALL, found, asked.overall, wanted, verdict))
    return gains


def gain_table(asked: Comparison, gains: Sequence[Gain]) -> Cells:
    """Lay out gains."""
    rows = [
        [gain.labels, gain.data, percent(gain.found.interval, sign="+"), gain.target, gain.verdict]
        for gain in gains
    ]
    return Cells(asked.title, ["labels", "data", "difference, points", "target", ""], rows)


def draw_gains(asked: Comparison, gains: Sequence[Gain], folder: Path) -> None:
    """Draw gains into a folder; nothing where nothing was measured."""
    panels: dict[str, list[Line]] = {}
    for gain in gains:
        if not math.isnan(gain.found.interval.value):
            line = Line(gain.data, gain.found.interval, shown=gain.verdict == MET, target=gain.least)
            panels.setdefault(f"labels: {gain.labels}", []).append(line)
    if panels:
        draw_forest(folder / f"{asked.name}.png", panels, title=asked.title)


def collapse_table(outcome: Outcome, method: str) -> Cells:
    """Lay out how much of the initial effective rank each branch kept."""
    table = outcome.pretrainings[outcome.pretrainings["method"] == method]
    rows = []
    for (data, branch), part in table.groupby(["data", "branch"], sort=False):
        kept = (part["effective_rank_end"] / part["effective_rank_start"]).min()
        good = not part["collapsed"].any() and kept >= RANK_KEPT
        collapsed = f"{int(part['collapsed'].sum())} of {len(part)}"
        rows.append([str(data), str(branch), collapsed, f"{kept:.2f}", "met" if good else "**missed**"])
    title = f"No collapse: at least {RANK_KEPT:g} of the initial effective rank kept, the least of the seeds"
    return Cells(title, ["data", "branch", "collapsed", "rank kept", ""], rows)


def target_tables(outcome: Outcome, *, figures: Path | None = None) -> list[Cells]:
    """Lay out every target; with a folder for pictures, draw the gains too."""
    tables = []
    for asked in COMPARISONS:
        gains = measure(outcome, asked)
        tables.append(gain_table(asked, gains))
        if figures is not None:
            draw_gains(asked, gains, figures)
    return [*tables, collapse_table(outcome, "cass")]


def main() -> None:
    """Write and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("spec", type=Path, help="benchmarks/small.yaml")
    parser.add_argument("run", type=Path, help="folder of the benchmark")
    parser.add_argument("--seeds", help="use these seeds only, separated by commas")
    given = parser.parse_args()
    spec = read_spec(given.spec)
    if given.seeds:
        seeds = tuple(int(seed) for seed in given.seeds.split(","))
        grids = {name: grid.model_copy(update={"seeds": None}) for name, grid in spec.grids.items()}
        spec = spec.model_copy(update={"seeds": seeds, "grids": grids})
    outcome = collect(expand(spec, folder=given.spec.resolve().parent, out=given.run))
    tables = target_tables(outcome, figures=given.run)
    text = "\n\n".join(f"## {cells.title}\n\n{cells.markdown()}" for cells in tables) + "\n"
    write_text(given.run / "targets.md", text)
    print(text)


if __name__ == "__main__":
    main()
