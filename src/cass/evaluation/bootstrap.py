"""Bootstrap: which images are drawn how often, and the interval of what they give."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """An estimate with its 95% interval.

    Attributes:
        value: The estimate on the images as they are; NaN where it is undefined.
        low: Lower end; NaN where there is no interval.
        high: Upper end; NaN where there is no interval.
    """

    value: float
    low: float
    high: float


def resample_counts(codes: NDArray[np.int64], *, resamples: int, seed: int) -> NDArray[np.float64]:
    """Draw groups with replacement, as many as there are.

    Args:
        codes: (N,) group of each image, from :func:`cass.groups.group_codes`.
        resamples: R.
        seed: Seed of the draw.

    Returns:
        (R, N): how often each image was drawn.
    """
    units = int(codes.max()) + 1
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(units, np.full(units, 1.0 / units), size=resamples)
    drawn: NDArray[np.float64] = counts[:, codes].astype(np.float64)
    return drawn


def interval(value: float, draws: NDArray[np.float64]) -> Interval:
    """Take the percentile interval of a metric.

    Args:
        value: The point estimate.
        draws: (R,) the metric in each resample; NaN where it was undefined; such draws are ignored.

    Returns:
        The estimate with the middle 95% of the draws; no interval where more than half are undefined, where all
        images are one group, which leaves nothing to draw from, or where all draws are equal: the width of zero
        would be a statement about the bootstrap, not about the classifier.
    """
    defined = draws[~np.isnan(draws)]
    if np.isnan(value) or len(defined) * 2 < len(draws) or not len(defined):
        return Interval(float(value), float("nan"), float("nan"))
    low, high = np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    if low == high:
        return Interval(float(value), float("nan"), float("nan"))
    return Interval(float(value), float(low), float(high))
