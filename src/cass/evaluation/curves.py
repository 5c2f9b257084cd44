"""Curves of a classifier on a set of images: ROC, precision-recall, calibration, risk against coverage."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cass.evaluation.bootstrap import Interval
from cass.evaluation.operating import OperatingPoint, operating_point
from cass.evaluation.shares import wilson
from cass.types import Task

Floats = NDArray[np.float64]
RELIABILITY_BINS = 10


class Curve(NamedTuple):
    """Points of a curve.

    Attributes:
        x: (P,) ascending.
        y: (P,).
    """

    x: Floats
    y: Floats


class ReliabilityBin(NamedTuple):
    """Predictions of about the same confidence.

    Attributes:
        confidence: Their mean probability.
        observed: How often they were right, with Wilson's interval.
        size: Number of predictions.
    """

    confidence: float
    observed: Interval
    size: int


def roc(scores: NDArray[np.floating], truth: NDArray[np.bool_]) -> Curve | None:
    """Return sensitivity against 1 - specificity; None where one of the two is undefined."""
    from sklearn.metrics import roc_curve

    if truth.all() or not truth.any():
        return None
    false_positive, sensitivity, _ = roc_curve(truth, scores)
    return Curve(false_positive, sensitivity)


def precision_recall(scores: NDArray[np.floating], truth: NDArray[np.bool_]) -> Curve | None:
    """Return precision against recall; None where no image has the class."""
    from sklearn.metrics import precision_recall_curve

    if not truth.any():
        return None
    precision, recall, _ = precision_recall_curve(truth, scores)
    return Curve(recall[::-1], precision[::-1])


def at_specificity(
    scores: NDArray[np.floating], truth: NDArray[np.bool_], *, least: float
) -> OperatingPoint | None:
    """Find the lowest threshold with a specificity of at least ``least`` on these images.

    Args:
        scores: (N,) probabilities of one class.
        truth: (N,) whether an image has it.
        least: Specificity in (0, 1).

    Returns:
        The point, with 95% Wilson intervals; None where a class is missing.
    """
    others = scores[~truth]
    if not len(others) or not truth.any():
        return None
    levels = np.unique(np.concatenate([scores, [np.inf]]))
    spared = np.searchsorted(np.sort(others), levels, side="left") / len(others)
    threshold = float(levels[np.flatnonzero(spared >= least)[0]])
    return operating_point(scores, truth, threshold)


def reliability(
    probabilities: NDArray[np.floating], targets: NDArray[np.uint8], *, task: Task
) -> list[ReliabilityBin]:
    """Compare confidence with accuracy in ten bins of equal width.

    Args:
        probabilities: (N, K).
        targets: (N, K) of 0 and 1.
        task: Multi-class: the likeliest class's probability against whether it is right. Multi-label: each label's
            probability against how often it is there.

    Returns:
        The bins that hold predictions.

    Source:
        Guo et al., On Calibration of Modern Neural Networks, ICML 2017, figure 1.
    """
    if task == "multiclass":
        best = probabilities.argmax(axis=1)
        confidence = probabilities.max(axis=1).astype(np.float64)
        right = targets[np.arange(len(targets)), best].astype(np.float64)
    else:
        confidence, right = probabilities.ravel().astype(np.float64), targets.ravel().astype(np.float64)
    bins = np.minimum((confidence * RELIABILITY_BINS).astype(np.int64), RELIABILITY_BINS - 1)
    found = []
    for number in np.unique(bins):
        chosen = bins == number
        count = int(chosen.sum())
        found.append(ReliabilityBin(float(confidence[chosen].mean()), wilson(right[chosen].mean(), count), count))
    return found


def calibration_error(bins: list[ReliabilityBin]) -> float:
    """Return the mean gap between confidence and accuracy, weighted by the bins' counts, in [0, 1]."""
    total = sum(part.size for part in bins)
    return sum(part.size * abs(part.confidence - part.observed.value) for part in bins) / max(total, 1)


def risk_coverage(doubt: Floats, wrong: NDArray[np.bool_]) -> Curve:
    """Return the error of the images that are least in doubt against their share.

    Args:
        doubt: (N,) N of 1 or more.
        wrong: (N,) whether a prediction is wrong.

    Returns:
        Coverage (N,) in (0, 1], and the share of wrong predictions among those covered.

    Source:
        Geifman & El-Yaniv, Selective Classification for Deep Neural Networks, NeurIPS 2017.
    """
    order = np.argsort(doubt, kind="stable")
    counts = np.arange(1, len(order) + 1)
    return Curve(counts / len(order), np.cumsum(wrong[order]) / counts)
