"""Intervals of shares of few cases, where a bootstrap has too little to draw from."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.stats import norm

from cass.evaluation.bootstrap import LEVEL, Interval, interval
from cass.evaluation.metrics import Floats

FEW_TEST_IMAGES = 5
"""Test images of a class below which its recall moves by more than 20 points an image."""
FEW_CASES = 30
"""Cases below which the bootstrap interval of a share is too narrow; at 0% and 100% it has no width at all."""


def wilson(share: float, cases: int) -> Interval:
    """Compute the 95% score interval of a share.

    Args:
        share: In [0, 1].
        cases: Independent cases that it is of, at least 1; of grouped images the groups. The share need not be a
            multiple of 1 / cases.

    Source:
        Wilson, Probable Inference, the Law of Succession, and Statistical Inference, JASA 1927.
    """
    squared = float(norm.ppf((1 + LEVEL) / 2)) ** 2
    middle = (share + squared / (2 * cases)) / (1 + squared / cases)
    half = math.sqrt(squared / cases * (share * (1 - share) + squared / (4 * cases))) / (1 + squared / cases)
    return Interval(share, max(0.0, middle - half), min(1.0, middle + half))


def share_interval(share: float, draws: Floats, *, cases: int) -> Interval:
    """Compute the 95% interval of a share: from the bootstrap where there are cases enough, else Wilson's.

    Args:
        share: In [0, 1]; NaN where it is undefined.
        draws: (R,) the share in each resample; all NaN where there is one group, which gives no interval.
        cases: Independent cases that it is of; of grouped images the groups.
    """
    drawn = interval(share, draws)
    if math.isnan(share) or not cases or np.isnan(draws).all():
        return drawn
    return wilson(share, cases) if cases < FEW_CASES or math.isnan(drawn.low) else drawn


def mean_interval(value: float, draws: Floats, *, shares: Sequence[tuple[float, int]]) -> Interval:
    """Compute the 95% interval of a mean of shares: from the bootstrap, or from Wilson's where that has no width.

    Args:
        value: The mean, in [0, 1].
        draws: (R,) the mean in each resample; all NaN where there is one group, which gives no interval.
        shares: Each share, and the independent cases that it is of.

    Source:
        Method of variance estimates recovery: Zou & Donner, Construction of confidence limits about effect
        measures, Statistics in Medicine 2008.
    """
    drawn = interval(value, draws)
    if math.isnan(value) or np.isnan(draws).all() or not math.isnan(drawn.low):
        return drawn
    parts = [wilson(share, cases) for share, cases in shares]
    below = math.sqrt(sum((part.value - part.low) ** 2 for part in parts)) / len(parts)
    above = math.sqrt(sum((part.high - part.value) ** 2 for part in parts)) / len(parts)
    return Interval(value, max(0.0, value - below), min(1.0, value + above))
