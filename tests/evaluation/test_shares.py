from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from cass.evaluation.classification import classification_report
from cass.evaluation.shares import mean_interval, share_interval, wilson


@given(st.integers(1, 200), st.data())
def test_the_score_interval_is_that_of_scipy(cases: int, data: st.DataObject) -> None:
    hits = data.draw(st.integers(0, cases))
    found = wilson(hits / cases, cases)
    expected = binomtest(hits, cases).proportion_ci(method="wilson")
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-9)
    assert found.low <= found.value + 1e-9
    assert found.value <= found.high + 1e-9


def test_many_cases_keep_the_bootstrap() -> None:
    draws = np.linspace(0.6, 0.8, 1000)
    assert share_interval(0.7, draws, cases=100).low == pytest.approx(0.605, abs=1e-3)
    assert share_interval(0.7, draws, cases=10).low == pytest.approx(wilson(0.7, 10).low)
    assert share_interval(1.0, np.ones(1000), cases=100).low == pytest.approx(wilson(1.0, 100).low)


def test_the_interval_of_a_mean_lies_within_those_of_its_shares() -> None:
    found = mean_interval(1.0, np.ones(100), shares=[(1.0, 4), (1.0, 40)])
    assert wilson(1.0, 4).low < found.low < wilson(1.0, 40).low
    assert found.high == 1
    one = mean_interval(1.0, np.ones(100), shares=[(1.0, 4)])
    assert one.low == pytest.approx(wilson(1.0, 4).low)


def test_four_images_that_are_all_right_prove_little() -> None:
    targets = np.eye(2, dtype=np.uint8)[[0, 0, 1, 1]]
    report = classification_report(targets.astype(float), targets, classes=("a", "b"), task="multiclass")
    for entry in (
        report.metrics["accuracy"],
        report.metrics["balanced_accuracy"],
        report.per_class["a"]["recall"],
    ):
        assert entry.value == 1
        assert entry.low < 0.6
        assert entry.high == 1
    assert math.isnan(report.per_class["a"]["auroc"].low)


def test_patients_count_and_not_their_images() -> None:
    targets = np.eye(2, dtype=np.uint8)[[0, 1] * 20]
    groups = np.array([f"patient{index // 10}" for index in range(40)])
    alone = classification_report(targets.astype(float), targets, classes=("a", "b"), task="multiclass")
    grouped = classification_report(
        targets.astype(float), targets, classes=("a", "b"), task="multiclass", groups=groups
    )
    assert grouped.metrics["accuracy"].low == pytest.approx(wilson(1.0, 4).low)
    assert alone.metrics["accuracy"].low == pytest.approx(wilson(1.0, 40).low)


def test_thirty_cases_are_enough_for_the_bootstrap() -> None:
    draws = np.linspace(0.6, 0.8, 1000)
    assert share_interval(0.7, draws, cases=29).low == pytest.approx(wilson(0.7, 29).low)
    assert share_interval(0.7, draws, cases=30).low == pytest.approx(0.605, abs=1e-3)
    assert math.isnan(share_interval(0.7, np.full(9, np.nan), cases=5).low)
    assert math.isnan(share_interval(math.nan, draws, cases=5).low)


def test_the_interval_of_a_mean_by_hand() -> None:
    shares = [(0.0, 4), (1.0, 40), (0.5, 7)]
    parts = [wilson(*share) for share in shares]
    below = math.sqrt(sum((part.value - part.low) ** 2 for part in parts)) / 3
    above = math.sqrt(sum((part.high - part.value) ** 2 for part in parts)) / 3
    found = mean_interval(0.5, np.full(9, 0.5), shares=shares)
    assert (found.value, found.low, found.high) == pytest.approx((0.5, 0.5 - below, 0.5 + above))
    zero = mean_interval(0.0, np.zeros(9), shares=[(0.0, 4), (0.0, 4)])
    assert (zero.low, zero.high) == pytest.approx((0, wilson(0.0, 4).high / math.sqrt(2)))
    drawn = mean_interval(0.5, np.linspace(0.4, 0.6, 101), shares=shares)
    assert (drawn.low, drawn.high) == pytest.approx((0.405, 0.595))
    for value, draws in ((math.nan, np.linspace(0, 1, 9)), (0.5, np.full(9, np.nan))):
        assert math.isnan(mean_interval(value, draws, shares=shares).low)
    assert mean_interval(1.0, np.ones(9), shares=[(1.0, 1), (1.0, 1)]).high == 1
