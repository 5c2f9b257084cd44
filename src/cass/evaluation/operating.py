"""Operating points: from which probability on a class is called, for a sensitivity that the user states."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cass.evaluation.bootstrap import Interval
from cass.evaluation.conformal import set_threshold
from cass.evaluation.shares import wilson


class HeldOut(NamedTuple):
    """Labelled images that fine-tuning held out, with what the run answers on them.

    Attributes:
        probabilities: (N, K) mean of the branches.
        labels: (N, K) of 0 and 1.
        codes: (N,) group codes.
    """

    probabilities: NDArray[np.floating]
    labels: NDArray[np.uint8]
    codes: NDArray[np.int64]


class OperatingPoint(NamedTuple):
    """A threshold on one class's probability, and what it does on a set of images.

    Attributes:
        threshold: Probability from which on the class is called.
        sensitivity: Share of the images with the class that are called, with Wilson's interval.
        specificity: Share of the others that are not.
    """

    threshold: float
    sensitivity: Interval
    specificity: Interval


def threshold_for(held: HeldOut, index: int, *, sensitivity: float) -> float | None:
    """Choose the probability from which on a class is called.

    Args:
        held: Held-out images.
        index: The class, in [0, K).
        sensitivity: Share of the images with the class that is to be called, in (0, 1).

    Returns:
        The highest threshold that holds for an image of a new group, in expectation; None where there are fewer
        groups with the class than that needs: 19 for 95%, 9 for 90%.

    Source:
        One-sided split conformal prediction on the images that have the class, as in
        :func:`cass.evaluation.conformal.set_threshold`.
    """
    own = held.labels[:, index] > 0
    return set_threshold(held.probabilities[own, index], held.codes[own], coverage=sensitivity)


def groups_needed(sensitivity: float) -> int:
    """Return how many groups with a class are needed to choose its threshold."""
    return int(np.ceil(sensitivity / (1 - sensitivity) - 1e-9))


def operating_point(
    scores: NDArray[np.floating], truth: NDArray[np.bool_], threshold: float
) -> OperatingPoint | None:
    """Measure a threshold on a set of images.

    Args:
        scores: (N,) probabilities of one class.
        truth: (N,) whether an image has it.
        threshold: Probability from which on the class is called.

    Returns:
        The point, with 95% Wilson intervals; None where all images have the class, or none has.
    """
    own, others = scores[truth], scores[~truth]
    if not len(own) or not len(others):
        return None
    found, spared = float((own >= threshold).mean()), float((others < threshold).mean())
    return OperatingPoint(threshold, wilson(found, len(own)), wilson(spared, len(others)))
