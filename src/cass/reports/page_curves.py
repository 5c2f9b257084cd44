"""Parts of a report page with curves: training, ranking, calibration, doubt."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cass.evaluation.curves import (
    at_specificity,
    calibration_error,
    precision_recall,
    reliability,
    risk_coverage,
    roc,
)
from cass.evaluation.operating import groups_needed, operating_point, threshold_for
from cass.evaluation.selection import doubt_of
from cass.reports.run_facts import RunFacts
from cass.reports.svg import Axis, Series, interval_chart, line_chart
from cass.reports.tables import Cells, percent
from cass.reports.webpage import html_cells, paragraph

if TYPE_CHECKING:
    import pandas as pd

SPECIFICITIES = (0.9, 0.95)
SENSITIVITIES = (0.9, 0.95)
MOST_POINTS = 200
COVERED = 0.8


def training_charts(tuning: pd.DataFrame, pretraining: pd.DataFrame | None) -> list[str]:
    """Draw the curves of pretraining and fine-tuning.

    Args:
        tuning: A row for each branch and epoch.
        pretraining: A row for each epoch, or None.

    Returns:
        HTML.
    """
    parts = []
    if pretraining is not None and len(pretraining) > 1:
        for key, word in (("effective_rank", "effective rank"), ("spread", "spread")):
            columns = [name for name in pretraining.columns if name.endswith(f"/{key}")]
            measured = {name: pretraining[["epoch", name]].dropna() for name in columns}  # not every epoch is
            series = [
                Series(name.partition("/")[0], list(zip(part["epoch"], part[name], strict=True)))
                for name, part in measured.items()
            ]
            text = f"Pretraining: {word} of the embeddings. Falling to nearly nothing would be collapse."
            parts.append(_over_epochs(series, word, text, low=0.0))
    if "branch" in tuning and (tuning["epoch"] > 0).any():
        series = [
            Series(str(name), list(zip(part["epoch"], part["val/loss"], strict=True)))
            for name, part in tuning.groupby("branch", sort=False)
        ]
        text = "Fine-tuning: loss on the validation images; epoch 0 is the linear probe."
        parts.append(_over_epochs(series, "validation loss", text))
    return parts


def _over_epochs(series: Sequence[Series], name: str, caption: str, *, low: float | None = None) -> str:
    """Draw figures by epoch."""
    xs, ys = zip(*(point for line in series for point in line.points), strict=True)
    known = [value for value in ys if math.isfinite(value)] or [0.0, 1.0]
    bottom = min(known) if low is None else low
    top = max(known) if max(known) > bottom else bottom + 1
    return line_chart(
        series, x=Axis("epoch", min(xs), max(max(xs), 1)), y=Axis(name, bottom, top), caption=caption, dots=True
    )


def ranking_section(
    probabilities: NDArray[np.float64], targets: NDArray[np.uint8], classes: Sequence[str]
) -> list[str]:
    """Draw ROC and precision-recall curves, and sensitivities at fixed specificities.

    Args:
        probabilities: (N, K).
        targets: (N, K) of 0 and 1.
        classes: K names.

    Returns:
        HTML.
    """
    rocs, recalls, rows = [], [], []
    for index, name in enumerate(classes):
        scores, truth = probabilities[:, index], targets[:, index] > 0
        curve, recall = roc(scores, truth), precision_recall(scores, truth)
        if curve is not None and recall is not None:
            rocs.append(Series(name, _thinned(curve.x, curve.y)))
            recalls.append(Series(name, _thinned(recall.x, recall.y)))
        for least in SPECIFICITIES:
            point = at_specificity(scores, truth, least=least)
            if point is not None:
                threshold = "-" if math.isinf(point.threshold) else f"{point.threshold:.3f}"
                figures = [percent(point.sensitivity), percent(point.specificity)]
                rows.append([name, f"{100 * least:g}%", threshold, *figures])
    if not rocs:
        return []
    x, y = Axis("1 - specificity", 0.0, 1.0), Axis("sensitivity", 0.0, 1.0)
    head = ["class", "specificity of at least", "probability from", "sensitivity, %", "specificity, %"]
    note = "The thresholds are chosen on these test images, so they are optimistic. Intervals count images singly."
    return [
        line_chart(rocs, x=x, y=y, caption="ROC: each class against the others.", diagonal=True),
        line_chart(
            recalls,
            x=Axis("recall", 0.0, 1.0),
            y=Axis("precision", 0.0, 1.0),
            caption="Precision and recall of each class.",
        ),
        html_cells(Cells("", head, rows)),
        paragraph(note),
    ]


def operating_section(facts: RunFacts) -> list[str]:
    """Lay out what thresholds do on the test images that were chosen on held-out labels.

    Args:
        facts: The run.

    Returns:
        HTML; nothing for a run of an earlier version.
    """
    if facts.held_out is None:
        return []
    rows = []
    for index, name in enumerate(facts.classes):
        for sensitivity in SENSITIVITIES:
            threshold = threshold_for(facts.held_out, index, sensitivity=sensitivity)
            truth = facts.targets[:, index] > 0
            point = None if threshold is None else operating_point(facts.probabilities[:, index], truth, threshold)
            shown = ["-", "-", "-"]
            if point is not None:
                shown = [f"{point.threshold:.3f}", percent(point.sensitivity), percent(point.specificity)]
            rows.append([name, f"{100 * sensitivity:g}%", *shown])
    head = ["class", "sensitivity asked for", "probability from", "sensitivity, %", "specificity, %"]
    needed = " or ".join(f"{groups_needed(share)} ({100 * share:g}%)" for share in SENSITIVITIES)
    note = (
        f"A dash: fewer than {needed} held-out patients or images have the class. "
        "`cass predict --sensitivity 0.95` uses these thresholds."
    )
    title = "Thresholds chosen on held-out labels, measured on the test images"
    return [html_cells(Cells(title, head, rows)), paragraph(note)]


def calibration_section(
    probabilities: NDArray[np.float64], targets: NDArray[np.uint8], summary: Mapping[str, Any]
) -> list[str]:
    """Draw whether probabilities mean what they say.

    Args:
        probabilities: (N, K).
        targets: (N, K) of 0 and 1.
        summary: Summary of the run, with the errors on the validation images before and after scaling.

    Returns:
        HTML.
    """
    bins = reliability(probabilities, targets, task=summary["task"])
    error = calibration_error(bins)
    points = [(part.confidence, part.observed.value) for part in bins]
    chart = line_chart(
        [Series("observed", points)],
        x=Axis("probability", 0.0, 1.0),
        y=Axis("correct", 0.0, 1.0),
        caption="Calibration on the test images: on the dotted line, probabilities are true. Expected "
        f"calibration error {error:.3f}.",
        diagonal=True,
        dots=True,
    )
    entries = [(f"{100 * part.confidence:.0f}% sure ({part.size})", part.observed) for part in bins]
    bars = interval_chart(
        entries, x=Axis("correct", 0.0, 1.0), caption="How often predictions of each confidence were correct."
    )
    rows = []
    together = {"mean of both": summary["mean_of_both"]} if "mean_of_both" in summary else {}
    for name, entry in (summary["branches"] | together).items():
        before, after = (entry.get(f"val_ece_{key}") for key in ("before", "after"))
        shown = ["-" if value is None else f"{value:.3f}" for value in (before, after)]
        rows.append([name, *shown, f"{entry['temperature']:.2f}", entry.get("temperature_note") or ""])
    head = ["branch", "error before", "error after", "temperature", "note"]
    table = html_cells(Cells("Calibration on held-out training and validation labels", head, rows))
    return [chart, bars, table]


def doubt_section(
    probabilities: NDArray[np.float64],
    branches: Mapping[str, NDArray[np.float64]],
    wrong: NDArray[np.bool_],
    summary: Mapping[str, Any],
) -> list[str]:
    """Draw what is gained by leaving images in doubt to people.

    Args:
        probabilities: (N, K) of the mean.
        branches: (N, K) of each branch; empty where there is one.
        wrong: (N,) whether a prediction is wrong.
        summary: Summary of the run.

    Returns:
        HTML.
    """
    if not wrong.any():
        return []
    task = summary["task"]
    doubts = {"doubt of the mean": doubt_of({"mean": probabilities}, task=task)}
    if len(branches) == 2:
        first, second = branches.values()
        doubts["disagreement of the branches"] = np.abs(first - second).sum(axis=1)
    series, rows = [], []
    for name, doubt in doubts.items():
        curve = risk_coverage(doubt, wrong)
        series.append(Series(name, _thinned(curve.x, curve.y)))
        kept = int(np.searchsorted(curve.x, COVERED - 1e-9))
        rows.append([name, f"{100 * curve.y[kept]:.1f}%", f"{100 * curve.y[-1]:.1f}%"])
    top = max(y for line in series for _, y in line.points)
    chart = line_chart(
        series,
        x=Axis("share of images answered", 0.0, 1.0),
        y=Axis("error", 0.0, max(top, 0.01)),
        caption="Error among the images that are least in doubt; the rest is referred to a reader.",
    )
    head = ["images are referred by", f"error on the {100 * COVERED:g}% least in doubt", "error on all"]
    return [chart, html_cells(Cells("", head, rows))]


def _thinned(x: NDArray[np.float64], y: NDArray[np.float64]) -> list[tuple[float, float]]:
    """Keep at most 200 points of a curve, the ends among them."""
    rows = np.unique(np.linspace(0, len(x) - 1, min(len(x), MOST_POINTS)).round().astype(int))
    return list(zip(x[rows].tolist(), y[rows].tolist(), strict=True))
