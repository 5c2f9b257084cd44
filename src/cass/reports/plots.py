"""Pictures of runs and results, as PNG files."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cass.evaluation.classification import ClassificationReport
from cass.files import whole_file
from cass.reports.tables import METRIC_NAMES, TAUGHT, WITH, WITHOUT, ResultRow

if TYPE_CHECKING:
    import pandas as pd

# The colours of Okabe & Ito, which people with colour-blindness can distinguish; in grey the markers differ.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#7F7F7F")
CHARACTERS_PER_INCH = 11
"""Characters of a title in the width of an inch."""
LABEL_WIDTH = 18
"""Characters of a class name in a line of a figure."""
_SLANTED = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"}
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
COLOUR_OF = {"cnn": COLOURS[0], "transformer": COLOURS[1]}
COLOUR_OF |= {WITH: COLOURS[0], WITHOUT: COLOURS[-1], TAUGHT: COLOURS[1]}
MARKER_OF = {"cnn": MARKERS[0], "transformer": MARKERS[1]}
MARKER_OF |= {WITH: MARKERS[0], WITHOUT: MARKERS[1], TAUGHT: MARKERS[2]}
LOSSES = {"train/loss": "training", "val/loss": "validation (log loss)"}
PANELS = {
    "loss": "Loss",
    "spread": "Spread (0 is one point)",
    "effective_rank": "Effective rank",
    "between_image_share": "Between-image share",
    "knn_balanced_accuracy": "kNN balanced accuracy",
}


def make_panels(columns: int, *, width: float = 3.6, height: float = 3.2) -> tuple[Any, list[Any]]:
    """Make a figure with panels side by side, outside pyplot's global state.

    Args:
        columns: Number of panels.
        width: Width of each, in inches.
        height: Height of the figure, in inches.

    Returns:
        The figure and its axes.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width * columns, height), layout="constrained")
    axes = [figure.add_subplot(1, columns, index + 1) for index in range(columns)]
    for axis in axes:
        axis.grid(visible=True, alpha=0.3)
        axis.spines[["top", "right"]].set_visible(False)
    return figure, axes


def set_title(figure: Any, title: str) -> None:
    """Title a figure, in as many lines as its width asks for."""
    width = int(CHARACTERS_PER_INCH * figure.get_figwidth())
    figure.suptitle(textwrap.fill(title, width), fontsize="medium")


def save_figure(figure: Any, path: Path) -> None:
    """Write a figure as PNG, whole or not at all.

    Args:
        figure: The figure.
        path: The file; its folder is made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as partial:
        figure.savefig(partial, format="png", dpi=130)


def plot_pretraining(history: pd.DataFrame, path: Path) -> None:
    """Draw the loss and the collapse watch's measures by epoch.

    Args:
        history: Columns ``epoch``, ``loss`` and ``{branch}/{measure}``; measures without a value are not drawn.
        path: PNG file to write.
    """
    panels = {}
    for key, title in PANELS.items():
        columns = ["loss"] if key == "loss" else [f"{branch}/{key}" for branch in ("cnn", "transformer")]
        there = [name for name in columns if name in history and history[name].notna().any()]
        if there:
            panels[title] = there
    figure, axes = make_panels(max(1, len(panels)))
    for axis, (title, columns) in zip(axes, panels.items(), strict=False):
        for name in columns:
            branch = name.split("/")[0]
            values = history[["epoch", name]].dropna()
            colour, marker = COLOUR_OF.get(branch, "#333333"), MARKER_OF.get(branch, "o")
            axis.plot(values["epoch"], values[name], marker=marker, markersize=4, color=colour, label=branch)
        axis.set(title=title, xlabel="epoch")
        axis.xaxis.get_major_locator().set_params(integer=True)
        if title != PANELS["effective_rank"]:
            axis.set_ylim(bottom=0)
        if len(columns) > 1:
            axis.legend(frameon=False)
    save_figure(figure, path)


def plot_fine_tuning(history: pd.DataFrame, path: Path) -> None:
    """Draw the losses and the validation balanced accuracy of a fine-tuning by epoch.

    Args:
        history: Columns ``epoch``, ``train/loss``, ``val/loss``, ``val/balanced_accuracy``.
        path: PNG file to write.
    """
    figure, (losses, score) = make_panels(2)
    for name, colour, marker in (
        ("train/loss", COLOUR_OF["cnn"], "o"),
        ("val/loss", COLOUR_OF["transformer"], "s"),
    ):
        losses.plot(history["epoch"], history[name], color=colour, marker=marker, markersize=4, label=LOSSES[name])
    losses.set(title="Loss", xlabel="epoch")
    score.plot(
        history["epoch"],
        history["val/balanced_accuracy"],
        color=COLOUR_OF["transformer"],
        marker="s",
        markersize=4,
    )
    score.set(title="Validation balanced accuracy", xlabel="epoch", ylim=(0, 1))
    best = history["epoch"].iloc[int(history["val/loss"].argmin())]
    kept = "kept: the linear probe (epoch 0)" if best == 0 else f"kept: epoch {best:g}"
    for axis in (losses, score):
        axis.axvline(best, color="#777777", linestyle=":", linewidth=1.5, label=kept)
        axis.xaxis.get_major_locator().set_params(integer=True)
    losses.legend(frameon=False, fontsize="small")
    score.legend(frameon=False, fontsize="small", loc="lower right")
    save_figure(figure, path)


def plot_label_efficiency(rows: Sequence[ResultRow], path: Path, *, title: str) -> None:
    """Write :func:`label_efficiency_figure` as PNG.

    Args:
        rows: Results of both starts.
        path: PNG file to write.
        title: What the picture shows.
    """
    save_figure(label_efficiency_figure(rows, title=title), path)


def label_efficiency_figure(rows: Sequence[ResultRow], *, title: str, metric: str = "balanced_accuracy") -> Any:
    """Draw a metric against the number of labels, with and without pretraining, one panel a branch.

    Args:
        rows: Results of both starts.
        title: What the picture shows.
        metric: Name of the metric.

    Returns:
        A matplotlib figure.
    """
    branches = list(dict.fromkeys(row.branch for row in rows))
    figure, axes = make_panels(len(branches), height=3.6)
    ticks = {row.n_labels: f"{100 * row.label_fraction:g}%\n({row.n_labels})" for row in rows}
    for axis, branch in zip(axes, branches, strict=True):
        for start, shift in ((WITHOUT, 1.03), (WITH, 1.0), (TAUGHT, 0.97)):
            chosen = sorted(
                (row for row in rows if row.branch == branch and row.start == start),
                key=lambda row: row.n_labels,
            )
            values = np.array(
                [[row.metrics[metric].value, row.metrics[metric].low, row.metrics[metric].high] for row in chosen]
            )
            if not len(values):
                continue
            bars = np.abs(values[:, [1, 2]] - values[:, [0]]).T
            axis.errorbar(
                [shift * row.n_labels for row in chosen],
                values[:, 0],
                yerr=np.nan_to_num(bars),
                color=COLOUR_OF[start],
                marker=MARKER_OF[start],
                capsize=3,
                label=start,
            )
        axis.set_xscale("log")
        axis.set_xticks(list(ticks), list(ticks.values()))
        axis.minorticks_off()
        axis.set(title=branch, xlabel="labels", ylim=(0, 1))
    axes[0].set_ylabel(METRIC_NAMES.get(metric, metric))
    axes[0].legend(frameon=False, loc="lower right")
    set_title(figure, f"{title} (95% intervals)")
    return figure


def plot_confusion(report: ClassificationReport, path: Path) -> None:
    """Write :func:`confusion_figure` as PNG.

    Args:
        report: The report.
        path: PNG file to write.
    """
    save_figure(confusion_figure(report), path)


def confusion_figure(report: ClassificationReport) -> Any:
    """Draw which class was predicted for which; multi-label: the four counts of each label.

    Args:
        report: The report.

    Returns:
        A matplotlib figure.
    """
    if report.task == "multilabel":
        counts = report.confusion[:, [1, 1, 0, 0], [1, 0, 1, 0]]  # (K, 4)
        totals = np.repeat(report.confusion.sum(axis=2)[:, [1, 0]], 2, axis=1)
        columns = ["present,\npredicted", "present,\nmissed", "absent,\npredicted", "absent,\nnot predicted"]
        axes = {"ylabel": "label", "title": "Images, and % of those with or without the label"}
    else:
        counts, totals = report.confusion, report.confusion.sum(axis=1, keepdims=True)
        columns = [textwrap.fill(name, LABEL_WIDTH) for name in report.classes]
        axes = {"xlabel": "prediction", "ylabel": "truth", "title": "Images, and % of the true class"}
    rows = [textwrap.fill(name, LABEL_WIDTH) for name in report.classes]
    figure, (axis,) = make_panels(1, width=2.4 + 0.8 * len(columns), height=1.8 + 0.6 * len(rows))
    _draw_counts(axis, counts, counts / np.maximum(totals, 1))
    axis.set_xticks(range(len(columns)), columns, **({} if report.task == "multilabel" else _SLANTED))
    axis.set_yticks(range(len(rows)), rows)
    axis.set(**axes)
    axis.title.set_fontsize("medium")
    return figure


def _draw_counts(axis: Any, counts: NDArray[np.int64], shares: NDArray[np.float64]) -> None:
    """Colour a table of counts by shares, and write both into the cells that are not empty."""
    axis.grid(visible=False)
    axis.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for row, column in np.argwhere(counts > 0).tolist():
        axis.text(
            column,
            row,
            f"{counts[row, column]}\n{100 * shares[row, column]:.0f}%",
            ha="center",
            va="center",
            fontsize=8,
            color="white" if shares[row, column] > 0.5 else "black",
        )
