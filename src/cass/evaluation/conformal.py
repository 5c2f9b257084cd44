"""Prediction sets with a stated coverage, and which images to refer to a reader."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cass.types import Task

COVERAGE = 0.9
REFERRED = 0.2
"""Share of the held-out images above whose doubt an image is referred."""

LEAST_HELD = 20
"""Held-out images below which no doubt is called high."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Safeguards:
    """What held-out labels tell of predictions that can be trusted.

    Attributes:
        coverage: Share of images whose set is to hold the label.
        least: Probability from which on a class belongs to the set; None where there are too few groups: every
            class does. Multi-label sets have none.
        groups: Groups that it was chosen on.
        doubt: Doubt above which an image is referred; None with fewer than 20 held-out images.
    """

    coverage: float
    least: float | None
    groups: int
    doubt: float | None


def fit_safeguards(
    probabilities: NDArray[np.floating],
    labels: NDArray[np.uint8],
    codes: NDArray[np.int64],
    doubt: Floats,
    *,
    task: Task,
) -> Safeguards:
    """Choose when a class belongs to a prediction set, and when an image is referred.

    Args:
        probabilities: (N, K) of held-out labelled images.
        labels: (N, K) of 0 and 1.
        codes: (N,) group codes.
        doubt: (N,) how disputed each image is.
        task: Multi-class or multi-label.

    Returns:
        The thresholds.
    """
    groups = len(np.unique(codes))
    least = None
    if task == "multiclass" and len(labels):
        least = set_threshold((probabilities * labels).sum(axis=1), codes, coverage=COVERAGE)
    limit = float(np.quantile(doubt, 1 - REFERRED)) if len(doubt) >= LEAST_HELD else None
    return Safeguards(COVERAGE, least, groups, limit)


def set_threshold(true: NDArray[np.floating], codes: NDArray[np.int64], *, coverage: float) -> float | None:
    """Choose the probability from which on a class belongs to the set, for an image of a new group.

    Args:
        true: (N,) probabilities that were given to the labels of held-out images.
        codes: (N,) group codes.
        coverage: Share of images whose set is to hold the label, in (0, 1).

    Returns:
        The threshold in [0, 1]; None where there are fewer groups than ``coverage`` needs: 9 for 90%.

    Source:
        Split conformal prediction with hierarchical data: each group weighs alike, and a new group counts as one
        more (Lee, Barber & Willett, Distribution-free inference with hierarchical data, arXiv 2306.06342,
        section 3.2; without groups Papadopoulos et al., ECML 2002).
    """
    _, inverse, sizes = np.unique(codes, return_inverse=True, return_counts=True)
    weights = 1.0 / ((len(sizes) + 1) * sizes[inverse])
    order = np.argsort(-true, kind="stable")  # from the least strange to the strangest
    reached = np.cumsum(weights[order])
    enough = np.flatnonzero(reached >= coverage - 1e-12)
    return float(true[order[enough[0]]]) if len(enough) else None


def prediction_sets(probabilities: NDArray[np.floating], least: float | None) -> NDArray[np.bool_]:
    """Return which classes (N, K) belong to the set of each image; the likeliest class always does."""
    inside = np.ones(probabilities.shape, bool) if least is None else probabilities >= least
    inside[np.arange(len(probabilities)), probabilities.argmax(axis=1)] = True
    return inside
