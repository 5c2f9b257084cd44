"""Small charts as SVG inside a page: lines and intervals, in the colours of the page."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from typing import NamedTuple

from cass.evaluation.bootstrap import Interval

CHART_WIDTH, CHART_HEIGHT = 340, 240
LEFT, RIGHT, TOP, BOTTOM = 46, 24, 10, 40
INK = ("var(--c1)", "var(--c2)", "var(--c3)", "var(--c4)", "var(--c5)", "var(--c6)")
DASHES = ("", "6 3", "2 3", "8 3 2 3")
MARKS = ("m-3 0a3 3 0 1 0 6 0a3 3 0 1 0-6 0", "m-3-3h6v6h-6z", "m0-4l4 7h-8z", "m0-4l3 4l-3 4l-3-4z")
"""Discs, squares, triangles and diamonds around a point, as SVG paths."""
RING = "m-5 0a5 5 0 1 0 10 0a5 5 0 1 0-10 0"
CHART_STYLE = """:root{--c1:#0072b2;--c2:#c04e00;--c3:#00795a;--c4:#a8588a;--c5:#8a6d00;--c6:#5b6770}
@media (prefers-color-scheme:dark){:root{--c1:#6cb8ea;--c2:#ff9d5c;--c3:#4fd0a8;--c4:#e6a3cb;--c5:#e3c14b;
--c6:#aab4be}}
.chart{display:inline-block;vertical-align:top;width:auto;max-width:100%;margin:.3rem 1rem .3rem 0}
.chart svg{max-width:100%;height:auto}.chart text{fill:var(--text);font:12px system-ui,sans-serif}
.chart figcaption svg{display:inline}.chart figcaption{font-size:.9rem;color:var(--text);max-width:340px}"""


class Series(NamedTuple):
    """A line of a chart.

    Attributes:
        name: What it is, for the legend.
        points: Pairs of x and y; at least one.
    """

    name: str
    points: Sequence[tuple[float, float]]


class Axis(NamedTuple):
    """An axis.

    Attributes:
        name: What it measures.
        low: Its left or lower end.
        high: Its right or upper end.
    """

    name: str
    low: float
    high: float


def line_chart(
    series: Sequence[Series], *, x: Axis, y: Axis, caption: str, diagonal: bool = False, dots: bool = False
) -> str:
    """Draw lines.

    Args:
        series: The lines.
        x: The horizontal axis.
        y: The vertical axis.
        caption: What the chart shows, as plain text; also its text for screen readers.
        diagonal: Whether to draw the line from corner to corner.
        dots: Whether to mark the points.

    Returns:
        HTML of a figure.
    """
    parts = [_frame(x, y)]
    if diagonal:
        start, end = _place((x.low, y.low), x, y), _place((x.high, y.high), x, y)
        parts.append(_stroke(start, end, "var(--soft)", dash="2 4"))
    for number, line in enumerate(series):
        colour, dash = INK[number % len(INK)], DASHES[number // len(INK) % len(DASHES)]
        places = [_place(point, x, y) for point in line.points if all(map(math.isfinite, point))]
        path = " ".join(f"{across:.1f},{down:.1f}" for across, down in places)
        dashes = f" stroke-dasharray='{dash}'" if dash else ""
        parts.append(f"<polyline points='{path}' fill='none' stroke='{colour}' stroke-width='2'{dashes}/>")
        if dots:
            parts += [f"<circle cx='{a:.1f}' cy='{d:.1f}' r='3' fill='{colour}'/>" for a, d in places]
    return _chart(parts, [line.name for line in series], caption)


def scatter_chart(series: Sequence[Series], *, rings: Sequence[tuple[float, float]], caption: str) -> str:
    """Draw points without axes.

    Args:
        series: The points of each kind.
        rings: Points to mark with a ring.
        caption: What the chart shows, as plain text; also its text for screen readers.

    Returns:
        HTML of a figure.
    """
    xs, ys = zip(*(point for kind in series for point in kind.points), strict=True)
    x, y = Axis("", min(xs), max(xs)), Axis("", min(ys), max(ys))
    parts = []
    for number, kind in enumerate(series):
        shape, colour = MARKS[number // len(INK) % len(MARKS)], INK[number % len(INK)]
        places = [_place(point, x, y) for point in kind.points]
        path = "".join(f"M{across:.0f} {down:.0f}{shape}" for across, down in places)
        parts.append(f"<path d='{path}' fill='{colour}' fill-opacity='.75'/>")
    marks = "".join(f"M{across:.0f} {down:.0f}{RING}" for across, down in (_place(point, x, y) for point in rings))
    parts.append(f"<path d='{marks}' fill='none' stroke='var(--text)' stroke-width='1'/>")
    keys = [
        f"<svg width='12' height='12' aria-hidden='true'><path d='M6 6{MARKS[number // len(INK) % len(MARKS)]}' "
        f"fill='{INK[number % len(INK)]}'/></svg> {html.escape(kind.name)}"
        for number, kind in enumerate(series)
    ]
    return _drawing(parts, keys, caption)


def interval_chart(entries: Sequence[tuple[str, Interval]], *, x: Axis, caption: str) -> str:
    """Draw estimates with their intervals, one a line, in percent.

    Args:
        entries: Name and estimate, in the unit of the axis.
        x: The axis.
        caption: What the chart shows, as plain text.

    Returns:
        HTML of a figure.
    """
    height = TOP + 30 * len(entries) + BOTTOM
    names = 120
    scale = (CHART_WIDTH + 160 - names - RIGHT) / (x.high - x.low)

    def across(value: float) -> float:
        return names + scale * (min(max(value, x.low), x.high) - x.low)

    parts = []
    for tick in _ticks(x):
        parts.append(_stroke((across(tick), TOP), (across(tick), height - BOTTOM), "var(--line)"))
        parts.append(_words(f"{100 * tick:.0f}%", across(tick), height - BOTTOM + 16, anchor="middle"))
    for number, (name, entry) in enumerate(entries):
        middle = TOP + 30 * number + 15
        parts.append(_words(_short(name), names - 8, middle + 4, anchor="end"))
        if math.isnan(entry.value):
            continue
        if not math.isnan(entry.low):
            parts.append(_stroke((across(entry.low), middle), (across(entry.high), middle), INK[0], width=3))
        parts.append(f"<circle cx='{across(entry.value):.1f}' cy='{middle}' r='5' fill='{INK[0]}'/>")
    parts.append(_words(x.name, (names + CHART_WIDTH + 160) / 2, height - 4, anchor="middle"))
    return _chart(parts, [], caption, width=CHART_WIDTH + 160, height=height)


def _chart(
    parts: Sequence[str],
    names: Sequence[str],
    caption: str,
    *,
    width: int = CHART_WIDTH,
    height: int = CHART_HEIGHT,
) -> str:
    """Put a chart and its legend together."""
    keys = []
    for number, name in enumerate(names if len(names) > 1 else []):
        dash = DASHES[number // len(INK) % len(DASHES)]
        style = f" stroke-dasharray='{dash}'" if dash else ""
        keys.append(
            f"<svg width='22' height='8' aria-hidden='true'><line x1='0' y1='4' x2='22' y2='4' "
            f"stroke='{INK[number % len(INK)]}' stroke-width='2'{style}/></svg> {html.escape(name)}"
        )
    return _drawing(parts, keys, caption, width=width, height=height)


def _drawing(
    parts: Sequence[str],
    keys: Sequence[str],
    caption: str,
    *,
    width: int = CHART_WIDTH,
    height: int = CHART_HEIGHT,
) -> str:
    """Put a drawing, its caption and the HTML of its legend together."""
    legend = f"<br>{' &nbsp; '.join(keys)}" if keys else ""
    text = html.escape(caption, quote=True)
    return (
        f"<figure class='chart'><svg viewBox='0 0 {width} {height}' width='{width}' height='{height}' role='img' "
        f"aria-label='{text}'>{''.join(parts)}</svg><figcaption>{html.escape(caption)}{legend}</figcaption></figure>"
    )


def _frame(x: Axis, y: Axis) -> str:
    """Draw the axes with their ticks."""
    parts = []
    for tick in _ticks(x):
        across, down = _place((tick, y.low), x, y)
        parts.append(_stroke((across, TOP), (across, down), "var(--line)"))
        parts.append(_words(_tick_text(tick), across, down + 15, anchor="middle"))
    for tick in _ticks(y):
        across, down = _place((x.low, tick), x, y)
        parts.append(_stroke((across, down), (CHART_WIDTH - RIGHT, down), "var(--line)"))
        parts.append(_words(_tick_text(tick), across - 5, down + 4, anchor="end"))
    middle = (LEFT + CHART_WIDTH - RIGHT) / 2
    parts.append(_words(x.name, middle, CHART_HEIGHT - 6, anchor="middle"))
    height = (TOP + CHART_HEIGHT - BOTTOM) / 2
    parts.append(
        f"<text x='12' y='{height:.1f}' text-anchor='middle' transform='rotate(-90 12 {height:.1f})'>"
        f"{html.escape(y.name)}</text>"
    )
    return "".join(parts)


def _place(point: tuple[float, float], x: Axis, y: Axis) -> tuple[float, float]:
    """Map a point to the chart."""
    across = (point[0] - x.low) / max(x.high - x.low, 1e-12)
    up = (point[1] - y.low) / max(y.high - y.low, 1e-12)
    return (
        LEFT + across * (CHART_WIDTH - LEFT - RIGHT),
        CHART_HEIGHT - BOTTOM - up * (CHART_HEIGHT - TOP - BOTTOM),
    )


def _ticks(axis: Axis) -> list[float]:
    """Choose about five round numbers on an axis."""
    span = axis.high - axis.low
    if span <= 0:
        return [axis.low]
    step = 10 ** math.floor(math.log10(span / 4))
    step *= min((1, 2, 5, 10), key=lambda factor: abs(span / (factor * step) - 4))
    first = math.ceil(axis.low / step - 1e-9)
    last = math.floor(axis.high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]


def _stroke(
    start: tuple[float, float], end: tuple[float, float], colour: str, *, width: float = 1, dash: str = ""
) -> str:
    dashes = f" stroke-dasharray='{dash}'" if dash else ""
    return (
        f"<line x1='{start[0]:.1f}' y1='{start[1]:.1f}' x2='{end[0]:.1f}' y2='{end[1]:.1f}' stroke='{colour}' "
        f"stroke-width='{width:g}'{dashes}/>"
    )


def _words(text: str, across: float, down: float, *, anchor: str) -> str:
    return f"<text x='{across:.1f}' y='{down:.1f}' text-anchor='{anchor}'>{html.escape(text)}</text>"


def _tick_text(value: float) -> str:
    return f"{value:.10g}" if abs(value) < 1e5 else f"{value:.1e}"


def _short(name: str, most: int = 17) -> str:
    return name if len(name) <= most else name[: most - 1] + "…"
