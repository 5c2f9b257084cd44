from __future__ import annotations

import io
import math

import numpy as np
from rich.console import Console

from cass.evaluation.bootstrap import Interval
from cass.evaluation.classification import classification_report
from cass.reports.tables import WITH, WITHOUT, Cells, ResultRow, comparison, gains, percent, report_markdown


def row(start: str, value: float, branch: str = "cnn") -> ResultRow:
    metrics = {"balanced_accuracy": Interval(value, value - 0.05, value + 0.05)}
    return ResultRow(branch=branch, start=start, label_fraction=0.1, n_labels=12, metrics=metrics)


def test_starts_stand_side_by_side_with_their_difference() -> None:
    cells = comparison([row(WITH, 0.81), row(WITHOUT, 0.7625), row(WITH, 0.5, "transformer")])
    assert cells.rows[0] == ["10% (12)", "cnn", "81.0 [76.0, 86.0]", "76.2 [71.2, 81.2]", "+4.8"]
    assert cells.rows[1][3:] == ["-", "-"]
    assert cells.markdown().startswith("| labels | branch | cass pretraining | no pretraining | difference |\n|")


def test_a_difference_has_the_interval_of_the_same_resamples() -> None:
    rng = np.random.default_rng(0)
    targets = np.eye(2, dtype=np.uint8)[rng.integers(0, 2, 200)]

    def measured(start: str, noise: float) -> ResultRow:
        scores = targets + noise * np.random.default_rng(1).normal(size=targets.shape)
        report = classification_report(scores, targets, classes=("benign", "malign"), task="multiclass")
        return ResultRow("cnn", start, 0.1, 20, report.metrics, report.draws)

    same = [measured(WITH, 1.0), measured(WITHOUT, 1.0)]
    (gain,) = gains(same)
    assert gain.difference.value == 0
    assert math.isnan(gain.difference.low)  # no width is no interval
    assert comparison(same).rows[0][-1] == "+0.0"
    (gain,) = gains([measured(WITH, 0.5), measured(WITHOUT, 3.0)])
    assert 0 < gain.difference.low < gain.difference.value < gain.difference.high
    assert gains(same[:1]) == []


def test_a_narrow_terminal_wraps_words_and_never_cuts_figures() -> None:
    console = Console(width=60, file=io.StringIO())
    console.print(
        Cells(
            "A title",
            ["", "a long heading", "another"],
            [["some rather long name " * 3, "81.0 [76.0, 86.0]", "+4.8"]],
        ).rich()
    )
    text = console.file.getvalue()
    assert "…" not in text
    assert "81.0 [76.0, 86.0]" in text


def test_undefined_figures_are_dashes() -> None:
    nan = float("nan")
    assert percent(Interval(nan, nan, nan)) == "-"
    assert percent(Interval(0.5, nan, nan)) == "50.0"


def test_a_report_lists_every_class_and_its_confusion() -> None:
    targets = np.eye(2, dtype=np.uint8)[[0, 0, 1, 1]]
    scores = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.3, 0.7]])
    text = report_markdown(classification_report(scores, targets, classes=("benign", "malign"), task="multiclass"))
    assert "| balanced accuracy | 75.0 [" in text
    assert "| benign | 1 | 1 |" in text
    assert "| malign | 2* | 100.0 [34.2, 100.0] |" in text
    assert "* fewer than 5 images" in text


def test_a_narrow_terminal_gets_blocks_instead_of_a_cut_table() -> None:
    cells = Cells("", ["branch", "balanced accuracy"], [["mean of both", "63.9 [58.1, 70.2]"], ["cnn", "-"]])
    assert cells.width == len("mean of both") + len("63.9 [58.1, 70.2]") + 2
    assert cells.least_width == len("branch") + len("63.9 [58.1, 70.2]") + 2
    assert cells.stacked().splitlines() == [
        *("mean of both", "  balanced accuracy: 63.9 [58.1, 70.2]"),
        *("cnn", "  balanced accuracy: -"),
    ]
