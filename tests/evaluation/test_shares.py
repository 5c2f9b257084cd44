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
