"""What a benchmark has found, as its tables, claims and plots read it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cass.evaluation.bootstrap import Interval
from cass.evaluation.resampling import Score, resample

if TYPE_CHECKING:
    import pandas as pd

    from cass.benchmarking.cells import Place

METRIC = "balanced_accuracy"
SETTING = ["network", "protocol", "batch_size", "epochs"]


@dataclass(frozen=True)
class MissingResult:
    """A result that is missing.

    Attributes:
        place: Where it belongs.
        reason: Why it is missing, in one line.
    """

    place: Place
    reason: str


@dataclass(frozen=True)
class Outcome:
    """What a benchmark has found so far.

    Attributes:
        name: Its name.
        split: Images that results are of, ``test`` or ``val``.
        claim: The method whose difference to each other one is tested.
        runs: A row for each data set, network, method, batch size, epochs, seed, protocol, label fraction,
            branch and metric.
        pretrainings: A row for each pretraining and branch.
        missing: What is not there.
        methods: Methods in the order of the file.
        main: The main batch size and number of epochs.
        generated: Data sets that cass has drawn itself.
        confirmation: Data sets on which nothing was chosen.
        sources: Where the images of each data set come from.
        scores: Balanced accuracy with its resamples, by cell and branch.
    """

    name: str
    split: str
    claim: str
    runs: pd.DataFrame
    pretrainings: pd.DataFrame
    missing: list[MissingResult]
    methods: tuple[str, ...]
    main: tuple[int, int]
    generated: tuple[str, ...]
    confirmation: tuple[str, ...]
    sources: dict[str, str]
    scores: dict[tuple[str, str], Score] = field(repr=False)


def share(fraction: float) -> str:
    """Write a label fraction, such as ``10%``."""
    return f"{100 * fraction:g}%"


def scores(outcome: Outcome) -> pd.DataFrame:
    """Return the rows of the metric that is compared, balanced accuracy, with the methods in order."""
    runs = outcome.runs[outcome.runs["metric"] == METRIC]
    order = {name: place for place, name in enumerate(outcome.methods)}
    return runs.sort_values("method", key=lambda column: column.map(order), kind="stable")


def settings_of(outcome: Outcome) -> Iterator[tuple[tuple[Any, ...], pd.DataFrame]]:
    """Yield each setting with its results, the main batch size and epochs first."""
    rows = scores(outcome)
    keys = list(dict.fromkeys(rows[SETTING].itertuples(index=False, name=None)))
    keys.sort(key=lambda key: ((key[2], key[3]) != outcome.main, key[2], key[3]))
    for key in keys:
        yield key, rows[(rows[SETTING] == list(key)).all(axis=1)]


def score_cells(outcome: Outcome, rows: pd.DataFrame) -> dict[tuple[str, str, float], dict[int, Score]]:
    """Return by data set, branch and label fraction the scores of rows by seed, where they are known."""
    cells: dict[tuple[str, str, float], dict[int, Score]] = {}
    names = ["data", "branch", "label_fraction", "seed", "cell"]
    for data, branch, fraction, seed, cell in rows[names].to_numpy(dtype=object).tolist():
        if (cell, branch) in outcome.scores:
            cells.setdefault((data, branch, float(fraction)), {})[seed] = outcome.scores[cell, branch]
    return cells


def over_seeds(outcome: Outcome, rows: pd.DataFrame) -> Interval:
    """Average the rows of one method over cells and seeds; the interval resamples seeds and test groups."""
    cells = score_cells(outcome, rows)
    seeds = sorted({seed for scores in cells.values() for seed in scores})
    return resample(
        [[scores.get(seed) for seed in seeds] for scores in cells.values()],
        sources=[outcome.sources[data] for data, _, _ in cells],
    ).interval


def describe(setting: Sequence[Any]) -> str:
    """Name a setting in words."""
    network, protocol, batch_size, epochs = setting
    return f"networks {network}, fine-tuning {protocol}, pretraining batch {batch_size}, epochs {epochs}"
