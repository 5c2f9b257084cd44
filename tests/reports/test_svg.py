from __future__ import annotations

import math
import re

from cass.evaluation.bootstrap import Interval
from cass.reports.svg import CHART_WIDTH, Axis, Series, interval_chart, line_chart
from cass.reports.webpage import html_table, paragraph

UNIT = Axis("x", 0.0, 1.0)


def test_names_cannot_break_out_of_the_page() -> None:
    evil = "<script>alert('x')</script>"
    chart = line_chart([Series(evil, [(0, 0)]), Series("b", [(1, 1)])], x=UNIT, y=UNIT, caption=evil)
    bars = interval_chart([(evil, Interval(0.5, 0.4, 0.6))], x=UNIT, caption=evil)
    for text in (chart, bars, html_table([evil], [[evil]]), paragraph(evil)):
        assert "<script" not in text


def test_lines_stay_inside_the_frame_and_undefined_points_are_left_out() -> None:
    chart = line_chart([Series("a", [(0, 0), (0.5, math.nan), (1, 1)])], x=UNIT, y=UNIT, caption="c")
    (points,) = re.findall(r"polyline points='([^']*)'", chart)
    places = [tuple(map(float, pair.split(","))) for pair in points.split()]
    assert len(places) == 2
    assert all(0 <= across <= CHART_WIDTH for across, _ in places)


def test_an_undefined_estimate_has_a_line_without_a_mark() -> None:
    nan = math.nan
    chart = interval_chart([("a", Interval(nan, nan, nan)), ("b", Interval(0.5, nan, nan))], x=UNIT, caption="c")
    assert chart.count("<circle") == 1


def test_code_is_set_as_code() -> None:
    assert paragraph("Run `cass audit` first.") == "<p>Run <code>cass audit</code> first.</p>"
