"""Resampling of seeds and test groups together: intervals that tell of other repetitions and other patients."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cass.evaluation.bootstrap import LEVEL, Interval
from cass.evaluation.metrics import count_metrics
from cass.types import Task

Floats = NDArray[np.float64]

RESAMPLES = 2000


@dataclass(frozen=True)
class Answers:
    """What a classifier answered on N test images.

    Attributes:
        predicted: (N, K) bool.
        targets: (N, K) of 0 and 1.
        units: N names of what is drawn: the patient, or the image itself where it has no group.
        task: Multi-class or multi-label.
    """

    predicted: NDArray[np.bool_]
    targets: NDArray[np.uint8]
    units: tuple[str, ...]
    task: Task


@dataclass(frozen=True)
class Score:
    """A balanced accuracy.

    Attributes:
        value: On the images as they are, in [0, 1].
        draws: (R,) in each resample of the test groups; NaN where no class was drawn.
    """

    value: float
    draws: Floats


class GroupDraws:
    """Draws the test groups of each data source once, so that all results on it share their draws.

    Args:
        units: By source, the names of all its test groups.
        resamples: R.
        seed: Seed of the draws.
    """

    def __init__(self, units: Mapping[str, Sequence[str]], *, resamples: int = RESAMPLES, seed: int = 0) -> None:
        self.resamples = resamples
        self._rows = {
            source: {name: row for row, name in enumerate(sorted(set(names)))} for source, names in units.items()
        }
        self._counts: dict[str, NDArray[np.int64]] = {}
        self._last: tuple[tuple[str, tuple[str, ...]], Floats] | None = None  # many answers are on the same images
        for source, rows in self._rows.items():
            rng = np.random.default_rng([seed, zlib.crc32(source.encode())])
            count = len(rows)
            # One fewer than there are: drawing all would understate the variance by a factor of 1 - 1/n.
            drawn = rng.multinomial(max(1, count - 1), np.full(count, 1 / count), size=resamples)
            self._counts[source] = drawn.astype(np.int64)

    def weights(self, source: str, units: Sequence[str]) -> Floats:
        """Return how often each of N images, named by its group, is drawn: (R, N)."""
        asked = source, tuple(units)
        if self._last is None or self._last[0] != asked:
            rows = [self._rows[source][name] for name in units]
            self._last = asked, self._counts[source][:, rows].astype(np.float64)
        return self._last[1]

    def score(self, source: str, answers: Answers) -> Score:
        """Compute the balanced accuracy of answers, and of each resample of the groups of their source."""
        weights = self.weights(source, answers.units)

        def balanced(weighting: Floats) -> Floats:
            return count_metrics(answers.predicted, answers.targets, weighting, task=answers.task)[
                "balanced_accuracy"
            ]

        return Score(float(balanced(np.ones((1, len(answers.units))))[0]), balanced(weights))


@dataclass(frozen=True)
class Resampled:
    """A mean over sources and seeds, with its draws.

    Attributes:
        interval: The mean with the middle 95% of its draws; no interval where nothing varies.
        p: Two-sided p of the hypothesis that the mean is 0; NaN with fewer than two seeds.
        seeds: Seeds that have all cells.
    """

    interval: Interval
    p: float
    seeds: int


def resample(cells: Sequence[Sequence[Score | None]], *, sources: Sequence[str], seed: int = 0) -> Resampled:
    """Average scores, or differences of scores, over cells and seeds, and resample seeds and groups together.

    Args:
        cells: C cells of S scores, one a seed; None where one is missing.
        sources: C names: cells are averaged within each data source first, so that sources count alike.
        seed: Seed of the draws of the seeds.

    Returns:
        The mean over the seeds that have every cell. In each resample, the groups of every source and all seeds
        but one are drawn with replacement (drawing all would understate the variance between seeds).

    Source:
        Percentile bootstrap over two crossed factors: Owen, The pigeonhole bootstrap, Annals of Applied
        Statistics 2007; n - 1 draws: Rao & Wu, JASA 1988.
    """
    complete = [place for place in range(len(cells[0]) if cells else 0) if all(cell[place] for cell in cells)]
    nan = float("nan")
    if not complete:
        return Resampled(Interval(nan, nan, nan), nan, 0)
    shares = np.array([1 / (len(set(sources)) * list(sources).count(source)) for source in sources])
    values, draws = [], []
    for place in complete:
        scores = [score for cell in cells if (score := cell[place]) is not None]
        values.append(float(shares @ np.array([score.value for score in scores])))
        draws.append(shares @ np.stack([score.draws for score in scores]))
    per_seed = np.stack(draws)  # (S, R)
    mean, count = float(np.mean(values)), len(complete)
    if count > 1:
        rng = np.random.default_rng([seed, count])
        chosen = rng.integers(0, count, size=(per_seed.shape[1], count - 1))
        drawn = per_seed[chosen, np.arange(per_seed.shape[1])[:, None]].mean(axis=1)
    else:
        drawn = per_seed[0]
    defined = drawn[~np.isnan(drawn)]
    if len(defined) * 2 < len(drawn) or np.ptp(defined) <= 1e-12:
        same = count > 1 and len(defined) > 0 and abs(mean) <= 1e-12
        return Resampled(Interval(mean, nan, nan), 1.0 if same else nan, count)
    low, high = np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Resampled(Interval(mean, float(low), float(high)), two_sided(defined) if count > 1 else nan, count)


def difference(first: Score | None, second: Score | None) -> Score | None:
    """Subtract two scores of the same images, draw by draw; None where one is missing."""
    if first is None or second is None:
        return None
    return Score(first.value - second.value, first.draws - second.draws)


def two_sided(draws: Floats) -> float:
    """Return the two-sided p of a mean of 0: twice the smaller share of draws on one side of 0.

    Args:
        draws: (R,) differences, none of them NaN.

    Returns:
        In (0, 1].
    """
    below, above = ((1 + int(side.sum())) / (1 + len(draws)) for side in (draws <= 0, draws >= 0))
    return min(1.0, 2 * min(below, above))
