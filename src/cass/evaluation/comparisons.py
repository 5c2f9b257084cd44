"""What repeated runs say: means over seeds, paired differences, and what may be claimed from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cass.evaluation.bootstrap import LEVEL, Interval

Verdict = Literal["better", "worse", "no difference shown", "no claim"]

ALPHA = 0.05


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


def t_interval(values: NDArray[np.floating]) -> Interval:
    """Average over seeds, with the 95% interval of Student's t.

    Args:
        values: (S,) one value per seed; NaN for a seed without a value, which is ignored.

    Returns:
        The mean and its interval. One value has no interval; without any the mean is NaN.
    """
    from scipy import stats

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


def paired_difference(first: NDArray[np.floating], second: NDArray[np.floating]) -> Difference:
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
    from scipy import stats

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


def holm(p: Sequence[float] | NDArray[np.floating]) -> NDArray[np.float64]:
    """Correct p-values of one family for their number.

    Args:
        p: (M,) p-values in [0, 1]; NaN for a test that is undefined, which does not count.

    Returns:
        (M,) corrected p-values in [0, 1], none smaller than before; NaN where they were.

    Source:
        Holm, A simple sequentially rejective multiple test procedure, Scand. J. Statist. 6 (1979) 65-70.
    """
    values = np.asarray(p, dtype=np.float64)
    corrected = np.full(values.shape, np.nan)
    defined = np.flatnonzero(~np.isnan(values))
    order = defined[np.argsort(values[defined], kind="stable")]
    factors = len(order) - np.arange(len(order))
    corrected[order] = np.minimum(np.maximum.accumulate(factors * values[order]), 1.0)
    return corrected


def mean_over_cells(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Average over cells within each seed: the seeds, not the cells, are the replicates.

    Args:
        values: (C, S) one value for each cell and seed; NaN where one is missing.

    Returns:
        (S,) the means; NaN for a seed that lacks a cell, since its mean would be one of other cells.
    """
    if not values.shape[0]:
        return np.full(values.shape[1], np.nan)
    means: NDArray[np.float64] = np.asarray(values, dtype=np.float64).mean(axis=0)
    return means


def conclusion(difference: Difference, corrected: float) -> Verdict:
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
