"""Tables of results, for the terminal and as Markdown, from the same cells."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from cass.evaluation.bootstrap import Interval, interval
from cass.evaluation.classification import ClassificationReport
from cass.evaluation.resampling import two_sided
from cass.evaluation.shares import FEW_TEST_IMAGES

if TYPE_CHECKING:
    from rich.table import Table

WITH, WITHOUT, TAUGHT = "cass pretraining", "no pretraining", "pretraining and pseudo-labels"
PRETRAINED = (WITH, WITHOUT)
"""What pretraining changes: the start of interest and its baseline, from the labels alone."""
PSEUDO_LABELLED = (TAUGHT, WITH)
"""What the unlabelled images change, from pretrained networks."""
METRIC_NAMES = {
    "balanced_accuracy": "balanced accuracy",
    "accuracy": "accuracy",
    "macro_auroc": "AUROC (macro)",
    "macro_average_precision": "average precision (macro)",
    "macro_f1": "F1 (macro)",
    "micro_f1": "F1 (micro)",
}


@dataclass(frozen=True)
class ResultRow:
    """One fine-tuned branch on the test images.

    Attributes:
        branch: ``cnn``, ``transformer`` or ``mean of both``.
        start: ``cass pretraining``, ``no pretraining`` or ``pretraining and pseudo-labels``.
        label_fraction: Share of the labels it was fine-tuned on, in (0, 1].
        n_labels: Number of those labels, of training and validation images.
        metrics: Metrics by name, in [0, 1].
        draws: (R,) of each metric by name, in the same R bootstrap resamples for every row.
    """

    branch: str
    start: str
    label_fraction: float
    n_labels: int
    metrics: dict[str, Interval]
    draws: dict[str, NDArray[np.float64]] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True)
class Gain:
    """What one of two starts changed.

    Attributes:
        branch: ``cnn``, ``transformer`` or ``mean of both``.
        label_fraction: Share of the labels that was fine-tuned on, in (0, 1].
        difference: Of a metric with the first start minus the second, in [-1, 1], with its 95% interval over the
            same resamples of the test images for both.
        p: Two-sided p of no difference, from the same resamples, not corrected; NaN without an interval.
    """

    branch: str
    label_fraction: float
    difference: Interval
    p: float


@dataclass(frozen=True)
class Cells:
    """A table before it is drawn.

    Attributes:
        title: What it shows.
        head: Column names.
        rows: Texts, one list a row.
    """

    title: str
    head: list[str]
    rows: list[list[str]]

    def markdown(self) -> str:
        """Draw it in Markdown."""
        lines = [self.head, ["---"] * len(self.head), *self.rows]
        return "\n".join("| " + " | ".join(line) + " |" for line in lines)

    @property
    def width(self) -> int:
        """Characters that a line needs if nothing wraps."""
        return sum(max(map(len, column)) + 1 for column in zip(self.head, *self.rows, strict=True))

    @property
    def least_width(self) -> int:
        """Characters that a line needs if headings and the first column wrap at spaces."""
        words = [max((len(word) for word in name.split()), default=0) for name in self.head]
        first = max((len(word) for row in self.rows for word in row[0].split()), default=0)
        figures = [max((len(row[index]) for row in self.rows), default=0) for index in range(1, len(self.head))]
        return sum(max(pair) + 1 for pair in zip(words, [first, *figures], strict=True))

    def stacked(self) -> str:
        """Draw each row as a block of lines, for terminals too narrow for a table."""
        blocks = []
        for row in self.rows:
            lines = [f"  {name}: {cell}" for name, cell in zip(self.head[1:], row[1:], strict=True)]
            blocks.append("\n".join([row[0], *lines]))
        return "\n".join(blocks)

    def rich(self) -> Table:
        """Draw it for the terminal; where that is narrow, headings and the first column wrap, figures do not."""
        from rich.table import Table

        table = Table(title=self.title, title_justify="left", padding=(0, 1, 0, 0), box=None)
        for index, name in enumerate(self.head):
            widest = max((len(row[index]) for row in self.rows), default=0) if index else None
            table.add_column(name, justify="right" if index else "left", min_width=widest)
        for row in self.rows:
            table.add_row(*row)
        return table


def percent(entry: Interval, *, sign: Literal["", "+"] = "") -> str:
    """Write an estimate and its interval in percent, such as ``81.3 [78.0, 84.1]``; a dash where undefined."""
    if math.isnan(entry.value):
        return "-"
    value = f"{100 * entry.value:{sign}.1f}"
    return value if math.isnan(entry.low) else f"{value} [{100 * entry.low:.1f}, {100 * entry.high:.1f}]"


def gains(
    rows: Sequence[ResultRow], *, starts: tuple[str, str] = PRETRAINED, metric: str = "balanced_accuracy"
) -> list[Gain]:
    """Compute what the first of two starts changed, for each label fraction and branch that has both."""
    found = {(row.label_fraction, row.branch, row.start): row for row in rows}
    changes = []
    for fraction, branch in dict.fromkeys((row.label_fraction, row.branch) for row in rows):
        pair = [row for start in starts if (row := found.get((fraction, branch, start)))]
        if len(pair) == 2:
            first, second = (row.metrics[metric].value for row in pair)
            one, two = (row.draws.get(metric, np.empty(0)) for row in pair)
            draws = one - two
            change = interval(first - second, draws)
            p = float("nan") if math.isnan(change.low) else two_sided(draws[~np.isnan(draws)])
            changes.append(Gain(branch, fraction, change, p))
    return changes


def comparison(
    rows: Sequence[ResultRow], *, starts: tuple[str, str] = PRETRAINED, metric: str = "balanced_accuracy"
) -> Cells:
    """Lay the results of two starts side by side.

    Args:
        rows: Results.
        starts: The start of interest and its baseline.
        metric: Name of the metric.

    Returns:
        A row for each label fraction and branch: both starts in percent and the difference in points, with 95%
        intervals.
    """
    found = {(row.label_fraction, row.branch, row.start): row for row in rows}
    changes = gains(rows, starts=starts, metric=metric)
    changed = {(gain.label_fraction, gain.branch): gain.difference for gain in changes}
    keys = dict.fromkeys((row.label_fraction, row.branch) for row in rows if row.start == starts[0])
    lines = []
    for fraction, branch in keys:
        pair = [found.get((fraction, branch, start)) for start in starts]
        there = [row for row in pair if row is not None]
        texts = [percent(row.metrics[metric]) if row else "-" for row in pair]
        gain = changed.get((fraction, branch))
        texts.append(percent(gain, sign="+") if gain else "-")
        lines.append([f"{100 * fraction:g}% ({there[0].n_labels})", branch, *texts])
    title = f"{METRIC_NAMES.get(metric, metric).capitalize()} on the test images, % [95% interval]"
    return Cells(title, ["labels", "branch", *starts, "difference"], lines)


def overall(report: ClassificationReport) -> Cells:
    """Lay out the overall metrics of a report, in percent."""
    unit = f"{report.n_groups} groups" if report.n_groups is not None else f"{report.n_images} images"
    title = f"{report.n_images} images; 95% intervals from {report.resamples} resamples of {unit}"
    rows = [[METRIC_NAMES[name], percent(entry)] for name, entry in report.metrics.items()]
    return Cells(title, ["metric", "% [95% interval]"], rows)


def per_class(report: ClassificationReport) -> Cells:
    """Lay out the metrics of each class, in percent."""
    head = ["class", "images", "recall", "precision", "F1", "AUROC", "average precision"]
    few = {label for label, count in report.support.items() if count < FEW_TEST_IMAGES}
    rows = [
        [
            label,
            f"{report.support[label]}{'*' if label in few else ''}",
            *(percent(entry) for entry in entries.values()),
        ]
        for label, entries in report.per_class.items()
    ]
    mark = f"; * fewer than {FEW_TEST_IMAGES} images: the class cannot be evaluated" if few else ""
    return Cells(f"Each class, % [95% interval]{mark}", head, rows)


def confusion(report: ClassificationReport) -> Cells:
    """Lay out who was taken for whom: truth in rows, prediction in columns; multi-label: the four counts."""
    if report.task == "multilabel":
        head = ["label", "true positives", "false negatives", "false positives", "true negatives"]
        counts = [[cell[1, 1], cell[1, 0], cell[0, 1], cell[0, 0]] for cell in report.confusion]
    else:
        head = ["truth \\ prediction", *report.classes]
        counts = report.confusion.tolist()
    rows = [[label, *map(str, line)] for label, line in zip(report.classes, counts, strict=True)]
    return Cells("Confusion matrix", head, rows)


def report_cells(report: ClassificationReport) -> list[Cells]:
    """Return the three tables of a report."""
    return [overall(report), per_class(report), confusion(report)]


def report_markdown(report: ClassificationReport) -> str:
    """Draw the tables of a report in Markdown."""
    return "\n\n".join(f"{cells.title}\n\n{cells.markdown()}" for cells in report_cells(report))
