"""Check the results of small.yaml against the targets of cass: which are met, and which are missed.

Every difference is paired by seed and test image; its 95% interval resamples seeds and test groups together, and
data sources count alike, as in claims.md. A target is met only where the interval says so.
Usage: python benchmarks/targets.py benchmarks/small.yaml runs/small [--seeds 0,1,2]     (writes targets.md there)
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

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


@dataclass(frozen=True)
class Arm:
    """One side of a comparison.

    Attributes:
        method: Method of the benchmark.
        protocol: Fine-tuning of the benchmark.
    """

    method: str
    protocol: str


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
        return "met"
    return "**missed**"


def gain_table(
    outcome: Outcome, first: Arm, second: Arm, *, branches: Sequence[str], targets: dict[float, float], title: str
) -> Cells:
    """Lay out a gain at each label fraction over all sets, over the confirmation sets, and over each set."""
    every = tuple(outcome.sources)
    groups = {"all": every, "confirmation sets": outcome.confirmation} | {name: (name,) for name in every}
    rows = []
    for fraction, least in targets.items():
        for name, data in groups.items():
            found = compare(outcome, first, second, branches=branches, fractions=[fraction], data=data)
            wanted = {"all": f"+{100 * least:g}, above 0", "confirmation sets": "above 0"}.get(
                name, f"above -{100 * MARGIN:g}"
            )
            verdict = met(found, least=least if name == "all" else 0.0)
            if name in outcome.sources:
                verdict = met(found, least=-MARGIN, above=-MARGIN)
            rows.append([share(fraction), name, percent(found.interval, sign="+"), wanted, verdict])
    return Cells(title, ["labels", "data", "difference, points", "target", ""], rows)


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


def target_tables(outcome: Outcome) -> list[Cells]:
    """Lay out every target."""
    cass, none = Arm("cass", "probe"), Arm("none", "probe")
    taught = Arm("cass", "taught")
    full = dict.fromkeys(PRETRAINING, FULL)
    return [
        gain_table(
            outcome,
            cass,
            none,
            branches=BRANCHES,
            targets=PRETRAINING,
            title="Pretraining over no pretraining, linear probe, mean over both branches",
        ),
        gain_table(
            outcome,
            taught,
            cass,
            branches=MEAN,
            targets=TEACHING,
            title="Pseudo-labels over the labels alone, from pretrained networks, linear probe, mean of both",
        ),
        gain_table(
            outcome,
            taught,
            none,
            branches=MEAN,
            targets=TOGETHER,
            title="Pretraining and pseudo-labels over neither, linear probe, mean of both",
        ),
        gain_table(
            outcome,
            Arm("cass", "full"),
            Arm("none", "full"),
            branches=BRANCHES,
            targets=full,
            title="Pretraining over no pretraining, full fine-tuning, mean over both branches",
        ),
        collapse_table(outcome, "cass"),
    ]


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
    text = "\n\n".join(f"## {cells.title}\n\n{cells.markdown()}" for cells in target_tables(outcome)) + "\n"
    write_text(given.run / "targets.md", text)
    print(text)


if __name__ == "__main__":
    main()
