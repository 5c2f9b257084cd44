"""Metrics of classification, for many weightings of the images at once.

A bootstrap resample is a weighting: how often each image was drawn. One implementation gives the point
estimate (all weights one) and a thousand resamples (a row of counts each); calling scikit-learn a
thousand times for the ranking metrics would take minutes. The tests compare every metric with
scikit-learn.

Shapes: N images, K classes, R weightings.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cass.types import Task

Floats = NDArray[np.float64]


def predicted_labels(
    probabilities: NDArray[np.floating], *, task: Task, thresholds: Sequence[float] | Floats | None = None
) -> NDArray[np.bool_]:
    """Turn probabilities into predictions.

    Args:
        probabilities: (N, K) in [0, 1].
        task: Multi-class (the likeliest class is predicted) or multi-label (those at or over their threshold).
        thresholds: (K,) in [0, 1], for multi-label; None is 0.5 for all.

    Returns:
        (N, K).
    """
    if task == "multilabel":
        bars = np.full(probabilities.shape[1], 0.5) if thresholds is None else np.asarray(thresholds, float)
        return np.asarray(probabilities) >= bars
    predicted = np.zeros(probabilities.shape, dtype=bool)
    predicted[np.arange(len(probabilities)), probabilities.argmax(axis=1)] = True
    return predicted


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    """Divide; NaN where the denominator is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        result: Floats = np.where(denominator > 0, numerator / denominator, np.nan)
    return result


def _mean_defined(values: Floats) -> Floats:
    """Mean over the classes (last axis) for which a metric is defined; NaN where it is for none."""
    defined = ~np.isnan(values)
    return _ratio(np.where(defined, values, 0.0).sum(axis=-1), defined.sum(axis=-1).astype(float))


def count_metrics(
    predicted: NDArray[np.bool_], targets: NDArray[np.uint8], weights: Floats, *, task: Task
) -> dict[str, Floats]:
    """Compute the metrics that count right and wrong predictions.

    Args:
        predicted: (N, K).
        targets: (N, K) of 0 and 1.
        weights: (R, N), 0 or more.
        task: Multi-class or multi-label.

    Returns:
        ``accuracy`` (multi-label: share of images with every label right), ``balanced_accuracy``
        (multi-class: mean recall over the classes that occur; multi-label: mean over labels of the mean
        of sensitivity and specificity), ``macro_f1`` and ``micro_f1``, each (R,); and ``recall``,
        ``specificity``, ``precision`` and ``f1`` of each class, (R, K). Precision is 0 for a class that occurs but
        is never predicted. NaN where a metric is undefined. Macro F1 is over classes that occur or are predicted.
    """
    truth = targets.astype(bool)
    total = weights.sum(axis=1)
    positives, chosen = weights @ truth, weights @ predicted  # (R, K)
    hits = weights @ (truth & predicted)
    recall = _ratio(hits, positives)
    precision = np.where((chosen == 0) & (positives > 0), 0.0, _ratio(hits, chosen))
    f1 = _ratio(2 * hits, positives + chosen)
    negatives = total[:, None] - positives
    specificity = _ratio(negatives - (chosen - hits), negatives)
    balanced = (recall + specificity) / 2 if task == "multilabel" else recall
    return {
        "accuracy": _ratio(weights @ (truth == predicted).all(axis=1), total),
        "balanced_accuracy": _mean_defined(balanced),
        "macro_f1": _mean_defined(f1),
        "micro_f1": _ratio(2 * hits.sum(axis=1), (positives + chosen).sum(axis=1)),
        "recall": recall,
        "specificity": specificity,
        "precision": precision,
        "f1": f1,
    }


def ranking_metrics(
    probabilities: NDArray[np.floating], targets: NDArray[np.uint8], weights: Floats
) -> dict[str, Floats]:
    """Compute the metrics that need no threshold.

    Args:
        probabilities: (N, K).
        targets: (N, K) of 0 and 1.
        weights: (R, N), 0 or more.

    Returns:
        ``macro_auroc`` and ``macro_average_precision`` (R,), one class against the rest, mean over the classes
        that have both kinds of images; ``auroc`` and ``average_precision`` of each class (R, K), NaN where
        undefined. Ties are treated as scikit-learn treats them.
    """
    pairs = [
        _rank_one(probabilities[:, index], targets[:, index].astype(bool), weights)
        for index in range(targets.shape[1])
    ]
    auroc, precision = (np.stack([pair[part] for pair in pairs], axis=1) for part in (0, 1))
    return {
        "macro_auroc": _mean_defined(auroc),
        "macro_average_precision": _mean_defined(precision),
        "auroc": auroc,
        "average_precision": precision,
    }


def _rank_one(scores: NDArray[np.floating], truth: NDArray[np.bool_], weights: Floats) -> tuple[Floats, Floats]:
    """AUROC and average precision (R,) of one class."""
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))  # last image of each tie
    ordered = weights[:, order]
    true_positives = np.cumsum(ordered * truth[order], axis=1)[:, ends]  # (R, T)
    false_positives = np.cumsum(ordered * ~truth[order], axis=1)[:, ends]
    positives, negatives = true_positives[:, -1], false_positives[:, -1]
    tp_step = np.diff(true_positives, axis=1, prepend=0.0)
    fp_step = np.diff(false_positives, axis=1, prepend=0.0)
    area = (fp_step * (true_positives - tp_step / 2)).sum(axis=1)
    auroc = _ratio(area, positives * negatives)
    found = true_positives + false_positives
    precision = np.divide(true_positives, found, out=np.zeros_like(found), where=found > 0)
    average_precision = np.where(negatives > 0, _ratio((tp_step * precision).sum(axis=1), positives), np.nan)
    return auroc, average_precision


def balanced_accuracy(probabilities: NDArray[np.floating], targets: NDArray[np.uint8], *, task: Task) -> float:
    """Compute the balanced accuracy, in [0, 1], of probabilities (N, K) for labels (N, K)."""
    predicted = predicted_labels(probabilities, task=task)
    weights = np.ones((1, len(targets)))
    return float(count_metrics(predicted, targets, weights, task=task)["balanced_accuracy"][0])
