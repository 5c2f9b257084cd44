"""The report of a classifier on a set of images: every metric with its interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cass.evaluation.bootstrap import Interval, interval, resample_counts
from cass.evaluation.metrics import Floats, count_metrics, predicted_labels, ranking_metrics
from cass.evaluation.shares import mean_interval, share_interval
from cass.groups import group_codes
from cass.types import Task

OVERALL = (
    "balanced_accuracy",
    "accuracy",
    "macro_auroc",
    "macro_average_precision",
    "macro_f1",
    "micro_f1",
)
PER_CLASS = ("recall", "precision", "f1", "auroc", "average_precision")
CHUNK_CELLS = 4_000_000


@dataclass(frozen=True)
class ClassificationReport:
    """What a classifier does on a set of images.

    Attributes:
        classes: K names.
        task: Multi-class or multi-label.
        n_images: N.
        n_groups: Groups that the bootstrap drew from, or None where it drew images.
        resamples: Bootstrap resamples.
        seed: Seed of the bootstrap.
        metrics: Overall metrics by name, in [0, 1].
        per_class: Metrics of each class by class and name, in [0, 1].
        support: Images of each class.
        confusion: (K, K), rows the truth, columns the prediction; multi-label (K, 2, 2).
        thresholds: Multi-label: K probabilities from which on a label is predicted; None is 0.5 for all.
        draws: (R,) of each overall metric by name, in the resamples; two reports on the same images with the
            same seed drew the same images.
    """

    classes: tuple[str, ...]
    task: Task
    n_images: int
    n_groups: int | None
    resamples: int
    seed: int
    metrics: dict[str, Interval]
    per_class: dict[str, dict[str, Interval]]
    support: dict[str, int]
    confusion: NDArray[np.int64]
    thresholds: tuple[float, ...] | None = None
    draws: dict[str, Floats] = field(default_factory=dict, repr=False, compare=False)

    def to_dict(self) -> dict[str, object]:
        """Return plain values for JSON, without the draws; an undefined number is None."""
        return {
            "classes": list(self.classes),
            "task": self.task,
            "n_images": self.n_images,
            "n_groups": self.n_groups,
            "resamples": self.resamples,
            "seed": self.seed,
            "metrics": {name: _interval_values(entry) for name, entry in self.metrics.items()},
            "per_class": {
                label: {name: _interval_values(entry) for name, entry in entries.items()}
                for label, entries in self.per_class.items()
            },
            "support": self.support,
            "confusion": self.confusion.tolist(),
            "thresholds": None if self.thresholds is None else list(self.thresholds),
        }


def _interval_values(entry: Interval) -> dict[str, float | None]:
    values = {"value": entry.value, "low": entry.low, "high": entry.high}
    return {name: None if math.isnan(value) else value for name, value in values.items()}


def classification_report(
    probabilities: NDArray[np.floating],
    targets: NDArray[np.uint8],
    *,
    classes: tuple[str, ...],
    task: Task,
    groups: NDArray[np.str_] | None = None,
    resamples: int = 1000,
    seed: int = 0,
    thresholds: Sequence[float] | None = None,
) -> ClassificationReport:
    """Measure predictions, with 95% bootstrap intervals over groups where groups exist, else over images.

    Args:
        probabilities: (N, K) in [0, 1].
        targets: (N, K) of 0 and 1; multi-class: one 1 a row.
        classes: K names.
        task: Multi-class (the most probable class is predicted) or multi-label (those at their threshold or
            more).
        groups: (N,) group names, empty for an image that is its own group; or None.
        resamples: Bootstrap resamples.
        seed: Seed of the bootstrap.
        thresholds: (K,) in [0, 1], for multi-label; None is 0.5 for all.

    Returns:
        The report.

    Source:
        Percentile bootstrap; whole groups are drawn because images of one patient resemble each other (cluster
        bootstrap: Davison & Hinkley, Bootstrap Methods and their Application, section 3.8).
        Shares of few cases: :mod:`cass.evaluation.shares`.
    """
    predicted = predicted_labels(probabilities, task=task, thresholds=thresholds)
    codes = group_codes(groups, count=len(targets))
    value = _all_metrics(probabilities, predicted, targets, np.ones((1, len(targets))), task=task)
    counts = resample_counts(codes, resamples=resamples, seed=seed)
    if codes.max() == 0:
        counts = counts[:0]  # one group: every draw is the same, and an interval of no width would mislead
    drawn = _metrics_of_resamples(probabilities, predicted, targets, counts, task=task)
    cases = _Cases.of(predicted, targets, codes)
    draws = {name: drawn.get(name, np.full_like(entry, np.nan)) for name, entry in value.items()}
    return ClassificationReport(
        classes=classes,
        task=task,
        n_images=len(targets),
        n_groups=None if groups is None else int(codes.max()) + 1,
        resamples=resamples,
        seed=seed,
        metrics=_overall_intervals(value, draws, cases, task=task),
        per_class={label: _class_intervals(k, value, draws, cases) for k, label in enumerate(classes)},
        support={label: int(targets[:, k].sum()) for k, label in enumerate(classes)},
        confusion=_confusion(predicted, targets, task=task),
        thresholds=None if thresholds is None else tuple(thresholds),
        draws={name: draws[name] for name in OVERALL},
    )


@dataclass(frozen=True)
class _Cases:
    """Independent cases that shares are of: groups, or images that are their own groups.

    Attributes:
        total: All.
        positives: Of each class, those that have it.
        negatives: Of each class, those with an image that does not have it.
        predicted: Of each class, those that it is predicted for.
    """

    total: int
    positives: list[int]
    negatives: list[int]
    predicted: list[int]

    @classmethod
    def of(cls, predicted: NDArray[np.bool_], targets: NDArray[np.uint8], codes: NDArray[np.int64]) -> _Cases:
        def count(flags: NDArray[np.bool_]) -> list[int]:
            return [len(np.unique(codes[column])) for column in flags.T]

        return cls(len(np.unique(codes)), count(targets == 1), count(targets == 0), count(predicted))


def _overall_intervals(
    value: dict[str, Floats], draws: dict[str, Floats], cases: _Cases, *, task: Task
) -> dict[str, Interval]:
    found = {name: interval(float(value[name][0]), draws[name]) for name in OVERALL}
    shares = (
        ("accuracy", "micro_f1") if task == "multiclass" else ("accuracy",)
    )  # micro F1 of one class is accuracy
    for name in shares:
        found[name] = share_interval(float(value[name][0]), draws[name], cases=cases.total)
    parts = list(zip(value["recall"][0].tolist(), cases.positives, strict=True))
    if task == "multilabel":
        parts += zip(value["specificity"][0].tolist(), cases.negatives, strict=True)
    found["balanced_accuracy"] = mean_interval(
        float(value["balanced_accuracy"][0]),
        draws["balanced_accuracy"],
        shares=[part for part in parts if part[1]],
    )
    return found


def _class_intervals(
    k: int, value: dict[str, Floats], draws: dict[str, Floats], cases: _Cases
) -> dict[str, Interval]:
    found = {name: interval(float(value[name][0, k]), draws[name][:, k]) for name in PER_CLASS}
    for name, count in (("recall", cases.positives[k]), ("precision", cases.predicted[k])):
        found[name] = share_interval(float(value[name][0, k]), draws[name][:, k], cases=count)
    return found


def _metrics_of_resamples(
    probabilities: NDArray[np.floating],
    predicted: NDArray[np.bool_],
    targets: NDArray[np.uint8],
    counts: Floats,
    *,
    task: Task,
) -> dict[str, Floats]:
    """Compute every metric in R resamples (R, N), some at a time to bound the memory; empty where R is 0."""
    size = max(1, CHUNK_CELLS // max(1, len(targets)))
    chunks = [
        _all_metrics(probabilities, predicted, targets, counts[start : start + size], task=task)
        for start in range(0, len(counts), size)
    ]
    return {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]} if chunks else {}


def _all_metrics(
    probabilities: NDArray[np.floating],
    predicted: NDArray[np.bool_],
    targets: NDArray[np.uint8],
    weights: Floats,
    *,
    task: Task,
) -> dict[str, Floats]:
    return count_metrics(predicted, targets, weights, task=task) | ranking_metrics(probabilities, targets, weights)


def _confusion(predicted: NDArray[np.bool_], targets: NDArray[np.uint8], *, task: Task) -> NDArray[np.int64]:
    truth, chosen = targets.astype(np.int64), predicted.astype(np.int64)
    if task == "multiclass":
        matrix: NDArray[np.int64] = truth.T @ chosen
        return matrix
    cells = [[((1 - truth) * (1 - chosen)), ((1 - truth) * chosen)], [truth * (1 - chosen), truth * chosen]]
    counts: NDArray[np.int64] = np.array([[cell.sum(axis=0) for cell in row] for row in cells])  # (2, 2, K)
    return counts.transpose(2, 0, 1)
