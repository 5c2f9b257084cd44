"""Draw differences with their intervals, a panel for each label fraction."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cass.evaluation.bootstrap import Interval
from cass.evaluation.comparisons import MARGIN
from cass.reports.plots import COLOURS, make_panels, save_figure, set_title

SHOWN, NOT_SHOWN = COLOURS[0], COLOURS[-1]
ROW = 0.32
"""Inches for a line of a panel."""


@dataclass(frozen=True)
class Line:
    """A difference.

    Attributes:
        name: What it is of; lines of equal names stand at equal heights in all panels.
        interval: The difference, from -1 to 1; not drawn where it is NaN.
        shown: Whether it is what is hoped for; otherwise it is grey.
        target: Least value that is hoped for, or None.
    """

    name: str
    interval: Interval
    shown: bool
    target: float | None = None


def draw_forest(path: Path, panels: Mapping[str, Sequence[Line]], *, title: str) -> None:
    """Draw a panel for each label fraction, a line for each difference.

    Args:
        path: PNG file to write.
        panels: Lines by title of the panel.
        title: Title of the figure.
    """
    names = list(dict.fromkeys(line.name for lines in panels.values() for line in lines))
    figure, axes = make_panels(len(panels), width=3.2, height=1.3 + ROW * len(names))
    for axis, (heading, lines) in zip(axes, panels.items(), strict=True):
        axis.axvline(0, color="black", linewidth=0.8)
        axis.axvline(-100 * MARGIN, color="black", linewidth=0.8, linestyle=":")
        for line in lines:
            height = len(names) - 1 - names.index(line.name)
            found = line.interval
            if math.isnan(found.value):
                continue
            colour = SHOWN if line.shown else NOT_SHOWN
            ends = [found.value if math.isnan(end) else end for end in (found.low, found.high)]
            axis.plot([100 * end for end in ends], [height, height], color=colour, linewidth=2)
            axis.plot(100 * found.value, height, color=colour, marker="o" if line.shown else "s", markersize=6)
            if line.target is not None:
                place = 100 * line.target
                axis.plot([place, place], [height - 0.35, height + 0.35], color=COLOURS[1], linewidth=2)
        axis.set_ylim(-0.6, len(names) - 0.4)
        axis.set_yticks(range(len(names)), names[::-1] if axis is axes[0] else [""] * len(names))
        axis.grid(visible=False, axis="y")
        axis.set(title=heading, xlabel="points of balanced accuracy")
    ends = [axis.get_xlim() for axis in axes]
    for axis in axes:
        axis.set_xlim(min(low for low, _ in ends), max(high for _, high in ends))
    set_title(figure, title)
    save_figure(figure, path)
