"""What may be claimed from differences: the correction for their number, and the words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cass.evaluation.resampling import Resampled

Verdict = Literal["better", "worse", "not worse", "undecided", "no claim"]

ALPHA = 0.05
MARGIN = 0.01
"""Balanced accuracy that a method may lose and still be called not worse: one point."""


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


def conclusion(difference: Resampled, corrected: float) -> Verdict:
    """Say what a difference shows.

    Args:
        difference: First minus second, more being better.
        corrected: Its p after the correction for the family, in [0, 1]; NaN where there is none.

    Returns:
        ``better`` or ``worse`` where the corrected p is below 0.05; else ``not worse`` where the lower end of the
        interval is above -1 point, and ``undecided`` where it is not: that nothing is shown does not show that
        there is nothing. ``no claim`` where there is no test.
    """
    if np.isnan(corrected):
        return "no claim"
    if corrected < ALPHA:
        return "better" if difference.interval.value > 0 else "worse"
    exact = np.isnan(difference.interval.low)  # equal in every resample
    return (
        "not worse" if (difference.interval.value if exact else difference.interval.low) > -MARGIN else "undecided"
    )
