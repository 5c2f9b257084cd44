"""Check the results of the small benchmark against the targets of cass: which are met, and which are missed.

Intervals and tests are over seeds alone, as in the tables of docs/results.md that this script printed; those of
claims.md resample the test images too. Reads runs.csv and pretraining.csv of
`cass benchmark benchmarks/small.yaml`, and writes targets.md next to them.
Usage: python benchmarks/targets.py runs/small
"""

from __future__ import annotations

import argparse
import itertools
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from cass.evaluation.bootstrap import LEVEL, Interval
from cass.evaluation.comparisons import ALPHA, holm
from cass.files import write_text
from cass.reports.tables import Cells, percent

CELL = ["data", "branch", "label_fraction"]
FRACTIONS = (0.01, 0.1, 1.0)
DINO_GAINS = (3.8, 5.9, 10.1)  # points at 1%, 10% and 100% of the labels
DINO_TIME = 0.31
LOSS = -1.0  # points
RANK = 0.5
REDRAWN = "blood-cells-redrawn"  # the images of blood-cells again: not part of any mean
STARTS = {"cass": "none", "cass-untrained": "random"}


@dataclass(frozen=True)
class Difference:
    """A mean paired difference over seeds.

    Attributes:
        mean: First minus second, in the unit of what was compared; NaN without a seed.
        low: Lower end of the 95% t-interval; NaN where there is none.
        high: Upper end; NaN where there is none.
        p: Two-sided p of the paired t-test, in [0, 1]; NaN where the test is undefined.
        n: Seeds that both sides have.
    """

    mean: float
    low: float
    high: float
    p: float
    n: int


def t_interval(values: np.ndarray) -> Interval:
    """Average over seeds, with the 95% interval of Student's t.

    Args:
        values: (S,) one value per seed; NaN for a seed without a value, which is ignored.

    Returns:
        The mean and its interval. One value has no interval; without any the mean is NaN.
    """
    there = np.asarray(values, dtype=np.float64)
    there = there[~np.isnan(there)]
    nan = float("nan")
    if not len(there):
        return Interval(nan, nan, nan)
    mean = float(there.mean())
    if len(there) == 1:
        return Interval(mean, nan, nan)
    half = float(stats.t.ppf((1 + LEVEL) / 2, len(there) - 1) * there.std(ddof=1) / np.sqrt(len(there)))
    return Interval(mean, mean - half, mean + half)


def paired_difference(first: np.ndarray, second: np.ndarray) -> Difference:
    """Compare two sides that share their seeds.

    Args:
        first: (S,) one value a seed; NaN for a seed without one.
        second: (S,) likewise, of the same seeds in the same order.

    Returns:
        The mean of ``first - second`` over the seeds that both have. Where all differences are 0 there is
        no difference (p is 1); where they are all equal but not 0, or there is one alone, the t-test is
        undefined and p is NaN.

    Raises:
        ValueError: The sides differ in length, which is a mistake in the code.

    Source:
        Student's paired t-test, two-sided.
    """
    if len(first) != len(second):
        raise ValueError(f"{len(first)} values cannot be paired with {len(second)}")
    differences = np.asarray(first, dtype=np.float64) - np.asarray(second, dtype=np.float64)
    differences = differences[~np.isnan(differences)]
    count = len(differences)
    nan = float("nan")
    mean = float(differences.mean()) if count else nan
    if count < 2:
        return Difference(mean, nan, nan, nan, count)
    if np.ptp(differences) <= 1e-12:  # what rounding leaves of equal numbers
        equal = abs(mean) <= 1e-12
        return Difference(mean, mean, mean, 1.0, count) if equal else Difference(mean, nan, nan, nan, count)
    around = t_interval(differences)
    return Difference(mean, around.low, around.high, float(stats.ttest_1samp(differences, 0.0).pvalue), count)


def mean_over_cells(values: np.ndarray) -> np.ndarray:
    """Average over cells within each seed: the seeds, not the cells, are the replicates.

    Args:
        values: (C, S) one value for each cell and seed; NaN where one is missing.

    Returns:
        (S,) the means; NaN for a seed that lacks a cell, since its mean would be one of other cells.
    """
    if not values.shape[0]:
        return np.full(values.shape[1], np.nan)
    means: np.ndarray = np.asarray(values, dtype=np.float64).mean(axis=0)
    return means


def conclusion(difference: Difference, corrected: float) -> str:
    """Say what a difference shows.

    Args:
        difference: First minus second, more being better.
        corrected: Its p after the correction for the family, in [0, 1]; NaN where there is none.

    Returns:
        ``better`` or ``worse`` where the corrected p is below 0.05, else ``no difference shown``; ``no claim``
        where there is no test.
    """
    if np.isnan(corrected):
        return "no claim"
    if corrected >= ALPHA:
        return "no difference shown"
    return "better" if difference.mean > 0 else "worse"


class Results:
    """Linear probes of both branches, and the pretraining runs, of one benchmark."""

    def __init__(self, folder: Path) -> None:
        runs = pd.read_csv(folder / "runs.csv")
        runs = runs[(runs["metric"] == "balanced_accuracy") & (runs["protocol"] == "probe")]
        self.runs = runs[runs["branch"] != "mean"]
        self.pretrainings = pd.read_csv(folder / "pretraining.csv")
        claimed = self.runs[self.runs["method"] == "cass"]
        self.epochs = claimed.groupby("data")["epochs"].max().to_dict()

    def of(
        self, method: str, *, batch: int = 16, epochs: int | None = None, data: str | None = None
    ) -> pd.DataFrame:
        """Return a row per cell and a column per seed; the default is the main number of epochs."""
        rows = self.runs[(self.runs["method"] == method) & (self.runs["batch_size"] == batch)]
        wanted = rows["data"].map(self.epochs) if epochs is None else epochs
        rows = rows[(rows["epochs"] == wanted) & (rows["data"] == data if data else rows["data"] != REDRAWN)]
        return rows.pivot_table(index=CELL, columns="seed", values="value")

    def seconds(self, method: str, data: str, *, an_epoch: bool = False) -> float:
        """Return the mean time to pretrain both branches, or the mean time per epoch."""
        rows = self.pretrainings[(self.pretrainings["method"] == method) & (self.pretrainings["data"] == data)]
        rows = rows[(rows["batch_size"] == 16) & (rows["epochs"] == self.epochs[data])]
        rows = rows.drop_duplicates("cell")
        return float((rows["seconds"] / (rows["pretraining_epochs"] if an_epoch else 1)).mean())


def compare(first: pd.DataFrame, second: pd.DataFrame, **where: object) -> Difference | None:
    """Compare means over the cells that both have, paired by seed."""
    for key, value in where.items():
        first, second = (table[table.index.get_level_values(key) == value] for table in (first, second))
    cells, seeds = first.index.intersection(second.index), first.columns.intersection(second.columns)
    if not len(cells) or not len(seeds):
        return None
    sides = (mean_over_cells(table.loc[cells, seeds].to_numpy()) for table in (first, second))
    return paired_difference(*sides)


def points(difference: Difference | None) -> str:
    if difference is None:
        return "-"
    return percent(Interval(difference.mean, difference.low, difference.high), sign="+")


def met(yes: bool | None) -> str:
    return "not run" if yes is None else "met" if yes else "**missed**"


def collapse(results: Results) -> Cells:
    """How much each pretraining run kept of the initial effective rank and of the linear probe."""
    lines = []
    every = results.pretrainings[results.pretrainings["method"].isin(STARTS)]
    for (method, data, batch, epochs), rows in every.groupby(
        ["method", "data", "batch_size", "epochs"], sort=False
    ):
        start, end = (
            results.of(STARTS[method], data=data),
            results.of(method, batch=batch, epochs=epochs, data=data),
        )
        seeds = rows["seed"].nunique()
        for branch, own in rows.groupby("branch"):
            share = float((own["effective_rank_end"] / own["effective_rank_start"]).min())
            change = compare(end, start, branch=branch, label_fraction=1.0)
            mean = math.nan if change is None else 100 * change.mean
            kept = share >= RANK and mean >= LOSS
            place = [method, data, str(batch), str(epochs), branch, f"{int(own['collapsed'].sum())} of {seeds}"]
            lines.append([*place, f"{share:.2f}", points(change), met(kept)])
    head = [
        "method",
        "data",
        "batch",
        "epochs",
        "branch",
        "collapsed",
        "rank kept, minimum",
        "probe at 100%",
        "target",
    ]
    title = f"No collapse: at least {RANK} of the initial rank kept, at most one point lost with all labels"
    return Cells(title, head, lines)


def beside_none(results: Results) -> Cells:
    """How pretraining compares with no pretraining, averaged over datasets."""
    first, second = results.of("cass"), results.of("none")
    whole = compare(first, second)
    lines = [["overall", points(whole), met(whole and whole.low > 0)]]
    for fraction in FRACTIONS:
        for branch in ("cnn", "transformer"):
            found = compare(first, second, branch=branch, label_fraction=fraction)
            lines.append([f"{branch}, {fraction:.0%}", points(found), met(found and found.mean > 0)])
    title = "Better than no pretraining: means over datasets, the interval of the overall mean above zero"
    return Cells(title, ["where", "difference", "target"], lines)


def each_cell(results: Results, data: str | None = None) -> Cells:
    """How pretraining compares with no pretraining, cell by cell."""
    first, second = results.of("cass", data=data), results.of("none", data=data)
    cells = first.index.intersection(second.index)
    found = [compare(first.loc[[cell]], second.loc[[cell]]) for cell in cells]
    corrected = holm([math.nan if entry is None else entry.p for entry in found])
    lines = []
    for (name, branch, fraction), entry, p in zip(cells, found, corrected, strict=True):
        if entry is not None:
            verdict = conclusion(entry, float(p))
            place = [name, branch, f"{fraction:.0%}"]
            lines.append([*place, points(entry), f"{p:.3f}", verdict, met(verdict != "worse")])
    title = "Not significantly worse than no pretraining: each cell"
    head = ["data", "branch", "labels", "difference", "corrected p", "cass is", "target"]
    return Cells(title if data is None else f"{title} of {data}", head, lines)


def beside_dino(results: Results) -> Cells:
    """How cass compares with DINO at each label fraction, and in time."""
    first, second = results.of("cass"), results.of("dino")
    lines = []
    for fraction, gain in zip(FRACTIONS, DINO_GAINS, strict=True):
        found = compare(first, second, label_fraction=fraction)
        reached = met(found and 100 * found.mean >= gain)
        lines.append([f"gain at {fraction:.0%}, points", f"{gain:+.1f}", points(found), reached])
    for data in second.index.unique("data"):
        for what, an_epoch in (("total time", False), ("time per epoch", True)):
            share = results.seconds("cass", data, an_epoch=an_epoch)
            share /= results.seconds("dino", data, an_epoch=an_epoch)
            place = f"{what} on {data}, both branches"
            lines.append([place, f"{DINO_TIME:.2f}", f"{share:.2f}", met(share <= DINO_TIME)])
    return Cells("Compared with DINO, which has half the epochs", ["what", "target", "measured", ""], lines)


def beside_rivals(results: Results) -> Cells:
    """How cass compares with every other method, averaged over cells, and in time."""
    first, found = results.of("cass"), {}
    for rival in dict.fromkeys(results.pretrainings["method"]):
        second = results.of(rival)
        entry = compare(first, second)
        if rival not in STARTS and rival not in STARTS.values() and entry is not None:
            times = [
                results.seconds("cass", data) / results.seconds(rival, data)
                for data in second.index.unique("data")
            ]
            found[rival] = (entry, np.mean(times), ", ".join(second.index.unique("data")))
    corrected = holm([entry.p for entry, _, _ in found.values()])
    lines = []
    for (rival, (entry, time, data)), p in zip(found.items(), corrected, strict=True):
        verdict = conclusion(entry, float(p))
        lines.append(
            [rival, data, str(entry.n), points(entry), f"{p:.3f}", verdict, f"{time:.2f}", met(verdict != "worse")]
        )
    head = [
        "other method",
        "data",
        "seeds",
        "cass minus other",
        "corrected p",
        "cass is",
        "time of cass relative to it",
        "target",
    ]
    return Cells("No other method significantly better, averaged over cells and label fractions", head, lines)


def robustness(results: Results) -> Cells:
    """What smaller batches and a quarter of the epochs cost."""
    lines = []
    changes = (
        ("batch 8 instead of 32, 4 epochs", {"batch": 8, "epochs": 4}, {"batch": 32, "epochs": 4}),
        ("2 epochs instead of 8, batch 16", {"epochs": 2}, {}),
    )
    for (name, less, full), data in itertools.product(changes, ("blood-cells", REDRAWN)):
        sides = results.of("cass", data=data, **less), results.of("cass", data=data, **full)
        whole = compare(*sides)
        each = [points(compare(*sides, label_fraction=fraction)) for fraction in FRACTIONS]
        lines.append([name, data, points(whole), *each, met(whole and 100 * whole.mean >= LOSS)])
    head = ["change", "data", "all", *(f"{fraction:.0%}" for fraction in FRACTIONS), "target"]
    return Cells("Batch size and epochs: at most one point lost", head, lines)


def main() -> None:
    """Write targets.md."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    results = Results(folder)
    tables = [
        collapse(results),
        beside_none(results),
        each_cell(results),
        each_cell(results, REDRAWN),
        beside_dino(results),
        beside_rivals(results),
        robustness(results),
    ]
    intro = (
        "Linear probes of both branches on the test images; balanced accuracy in points. Differences are paired "
        "by seed: averaged over datasets and branches within a seed first, then [95% t-interval over seeds]. "
        "p-values are corrected with Holm's procedure within a table."
    )
    parts = [f"# {folder.name}: targets", intro]
    parts += [part for table in tables for part in (f"## {table.title}", table.markdown())]
    write_text(folder / "targets.md", "\n\n".join(parts) + "\n")
    print((folder / "targets.md").read_text())


if __name__ == "__main__":
    main()
