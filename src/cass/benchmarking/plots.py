"""The pictures of ``cass benchmark``: label efficiency, robustness, and what the time was worth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cass.benchmarking.outcome import Outcome, over_seeds, scores, share
from cass.reports.plots import COLOURS, MARKERS, make_panels, save_figure, set_title

if TYPE_CHECKING:
    import pandas as pd

Y_LABEL = "balanced accuracy, %"


def plot_benchmark(outcome: Outcome, folder: Path) -> None:
    """Draw what there is to draw.

    Args:
        outcome: What the benchmark has found.
        folder: Folder of the PNG files: ``label-efficiency-*``, ``batch-size-*``, ``epochs-*`` and ``time-*``.
    """
    rows = scores(outcome)
    batch_size, epochs = outcome.main
    for (network, protocol), part in rows.groupby(["network", "protocol"], sort=False):
        name = f"{network}-{protocol}"
        main = part[(part["batch_size"] == batch_size) & (part["epochs"] == epochs)]
        for data, own in main.groupby("data", sort=False):
            _label_efficiency(outcome, own, folder / f"label-efficiency-{data}-{name}.png", data=str(data))
        for axis, fixed, title in (
            ("batch_size", part[part["epochs"] == epochs], "batch size of pretraining"),
            ("epochs", part[part["batch_size"] == batch_size], "epochs of pretraining"),
        ):
            if fixed[axis].nunique() > 1:
                path = folder / f"{axis.replace('_', '-')}-{name}.png"
                _robustness(outcome, fixed, path, axis=axis, title=title)
        if (main["pretraining_seconds"] > 0).any():
            _time(outcome, main, folder / f"time-{name}.png")


def style(outcome: Outcome, method: str) -> dict[str, Any]:
    """Return the colour and marker of a method, the same in every picture."""
    place = outcome.methods.index(method)
    return {"color": COLOURS[place % len(COLOURS)], "marker": MARKERS[place % len(MARKERS)], "markersize": 5}


def _label_efficiency(outcome: Outcome, rows: pd.DataFrame, path: Path, *, data: str) -> None:
    """Draw balanced accuracy against the share of labels, a panel a branch."""
    branches = list(dict.fromkeys(rows["branch"]))
    figure, axes = make_panels(len(branches), height=3.6)
    for axis, branch in zip(axes, branches, strict=True):
        part = rows[rows["branch"] == branch]
        _lines(outcome, part, axis, x="label_fraction")
        ticks = sorted(set(part["label_fraction"]))
        axis.set_xscale("log")
        axis.set_xticks(ticks, [share(fraction) for fraction in ticks])
        axis.minorticks_off()
        axis.set(title=branch, xlabel="labels")
    drawn = ", generated images" if data in outcome.generated else ""
    _save_with_legend(figure, axes, path, title=f"Label efficiency on {data}{drawn}")


def _robustness(outcome: Outcome, rows: pd.DataFrame, path: Path, *, axis: str, title: str) -> None:
    """Draw the mean over data sets and branches against a setting of pretraining, a panel a share of labels."""
    several = rows.groupby(["method", "label_fraction"])[axis].transform("nunique")
    rows = _without_mean(rows[several > 1])
    if rows.empty:
        return
    fractions = sorted(set(rows["label_fraction"]))
    figure, axes = make_panels(len(fractions), height=3.6)
    for panel, fraction in zip(axes, fractions, strict=True):
        _lines(outcome, rows[rows["label_fraction"] == fraction], panel, x=axis)
        ticks = sorted(set(rows[axis]))
        panel.set_xscale("log")
        panel.set_xticks(ticks, [str(tick) for tick in ticks])
        panel.minorticks_off()
        panel.set(title=f"{share(fraction)} of the labels", xlabel=title)
    _save_with_legend(figure, axes, path, title=f"Mean over data sets and branches by {title}")


def _time(outcome: Outcome, rows: pd.DataFrame, path: Path) -> None:
    """Draw the mean over data sets and branches against the time of pretraining, a panel a share of labels."""
    rows = _without_mean(rows)
    fractions = sorted(set(rows["label_fraction"]))
    figure, axes = make_panels(len(fractions), height=3.6)
    for panel, fraction in zip(axes, fractions, strict=True):
        part = rows[rows["label_fraction"] == fraction]
        for method, own in part.groupby("method", sort=False):
            seconds = own.drop_duplicates(["data", "seed"])["pretraining_seconds"].mean()
            entry = over_seeds(outcome, own)
            if not seconds > 0:
                panel.axhline(
                    100 * entry.value, color=style(outcome, str(method))["color"], linestyle="--", label=method
                )
                continue
            errors = np.nan_to_num([[entry.value - entry.low], [entry.high - entry.value]])
            panel.errorbar(
                [seconds],
                [100 * entry.value],
                yerr=100 * errors,
                capsize=3,
                linestyle="none",
                label=method,
                **style(outcome, str(method)),
            )
        panel.set_xscale("log")
        panel.set(title=f"{share(fraction)} of the labels", xlabel="pretraining, seconds, both branches")
    _save_with_legend(figure, axes, path, title="Mean over data sets and branches against time")


def _lines(outcome: Outcome, rows: pd.DataFrame, axis: Any, *, x: str) -> None:
    """Draw a line a method with a band for its 95% interval."""
    for method, own in rows.groupby("method", sort=False):
        places = sorted(set(own[x]))
        entries = [over_seeds(outcome, own[own[x] == place]) for place in places]
        values = 100 * np.array([[entry.value, entry.low, entry.high] for entry in entries])
        look = style(outcome, str(method))
        axis.plot(places, values[:, 0], label=method, **look)
        axis.fill_between(places, values[:, 1], values[:, 2], color=look["color"], alpha=0.15, linewidth=0)


def _without_mean(rows: pd.DataFrame) -> pd.DataFrame:
    """Leave out the mean of both branches where the branches themselves are there."""
    alone = rows[rows["branch"] != "mean"]
    return rows if alone.empty else alone


def _save_with_legend(figure: Any, axes: list[Any], path: Path, *, title: str) -> None:
    axes[0].set_ylabel(Y_LABEL)
    for axis in axes:  # an interval of few seeds may reach beyond what is possible
        low, high = axis.get_ylim()
        axis.set_ylim(max(0, low), min(100, high))
    axes[-1].legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    set_title(figure, f"{title} (95% intervals over seeds and test images)")
    save_figure(figure, path)
