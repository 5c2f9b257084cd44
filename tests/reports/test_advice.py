from __future__ import annotations

import numpy as np

from cass.evaluation.bootstrap import Interval
from cass.reports.advice import advice
from cass.reports.tables import TAUGHT, WITH, WITHOUT, ResultRow


def pair(
    branch: str,
    gain: float,
    *,
    fraction: float = 0.1,
    spread: float = 0.02,
    starts: tuple[str, str] = (WITH, WITHOUT),
) -> list[ResultRow]:
    """Two starts of a branch, the draws of whose difference scatter by the spread about the gain."""
    noise = spread * np.linspace(-1, 1, 2001)
    rows = []
    both = ((0.6 + gain, 0.6 + gain + noise), (0.6, np.full(2001, 0.6)))
    for start, (value, draws) in zip(starts, both, strict=True):
        metrics = {"balanced_accuracy": Interval(value, value - 0.1, value + 0.1)}
        rows.append(ResultRow(branch, start, fraction, 12, metrics, {"balanced_accuracy": draws}))
    return rows


def test_each_branch_is_judged_by_the_interval_of_its_difference() -> None:
    rows = pair("cnn", 0.1) + pair("transformer", 0.1, spread=0.2) + pair("cnn", 0.05, fraction=1.0)
    few, all_labels, caution = advice(rows)
    assert few == (
        "With 10% of the labels (12): pretraining helped cnn (+10.0 [8.1, 11.9]); no difference shown for "
        "transformer (+10.0 [-9.0, 29.0])."
    )
    assert all_labels.startswith("With 100% of the labels (12): pretraining helped cnn (+5.0")
    assert caution.startswith("Judged after Holm's correction for 3 comparisons;")
    assert "This is one seed" in caution


def test_a_difference_that_only_one_comparison_would_show_is_not_claimed() -> None:
    alone = pair("cnn", 0.1, spread=0.104)
    assert "pretraining helped cnn (+10.0 [0.1" in advice(alone)[0]
    with_others = advice(alone + pair("transformer", 0.0))
    assert "helped" not in with_others[0]
    assert "no difference shown for cnn (+10.0 [0.1" in with_others[0]


def test_a_branch_that_lost_or_collapsed_is_not_to_be_used() -> None:
    rows = pair("cnn", -0.1) + pair("transformer", 0.0, spread=0.1)
    lines = advice(rows, collapsed=["transformer"])
    assert "made worse cnn (-10.0" in lines[0]
    assert lines[1].startswith("Do not use this pretraining for cnn (worse), transformer (collapsed): ")
    assert "--without-pretraining" in lines[1]


def test_one_start_alone_says_nothing() -> None:
    assert advice(pair("cnn", 0.1)[:1]) == []


def test_pseudo_labels_are_judged_by_themselves() -> None:
    taught = (TAUGHT, WITH)
    lines = advice(pair("cnn", 0.1, starts=taught) + pair("transformer", 0.0, spread=0.1, starts=taught))
    assert lines[0].startswith("With 10% of the labels (12): pseudo-labels helped cnn (+10.0")
    assert "no effect of pseudo-labels shown for transformer" in lines[0]
    assert "--unlabelled auto" in lines[1]
    assert "--unlabelled off" in advice(pair("cnn", -0.1, starts=taught))[1]
