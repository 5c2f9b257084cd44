from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cass.evaluation.bootstrap import Interval
from cass.evaluation.comparisons import conclusion, holm
from cass.evaluation.resampling import Resampled

NAN = float("nan")


def test_holm_by_hand() -> None:
    # Sorted 0.005, 0.01, 0.03, 0.04; times 4, 3, 2, 1: 0.02, 0.03, 0.06, 0.04; made non-decreasing.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    corrected = holm([0.02, NAN, 0.9])
    assert corrected[[0, 2]] == pytest.approx([0.04, 0.9])
    assert np.isnan(corrected[1])
    assert len(holm([])) == 0


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.floats(0.001, 0.5))
def test_holm_rejects_what_its_procedure_rejects(p: list[float], alpha: float) -> None:
    corrected = holm(p)
    assert (corrected >= np.array(p)).all()
    assert (corrected <= 1).all()
    rejected, order = set(), sorted(range(len(p)), key=lambda i: p[i])
    for step, index in enumerate(order):  # from the smallest p on, until one is too large
        if p[index] * (len(p) - step) > alpha:
            break
        rejected.add(index)
    assert {i for i in range(len(p)) if corrected[i] <= alpha} == rejected


@pytest.mark.parametrize(
    ("value", "low", "high", "corrected", "expected"),
    [
        (0.1, 0.05, 0.15, 0.01, "better"),
        (-0.1, -0.15, -0.05, 0.01, "worse"),
        (0.02, -0.005, 0.045, 0.2, "not worse"),
        (0.02, -0.011, 0.051, 0.2, "undecided"),
        (-0.02, -0.06, 0.02, 0.05, "undecided"),
        (0.0, NAN, NAN, 1.0, "not worse"),
        (0.1, 0.05, 0.15, NAN, "no claim"),
    ],
)
def test_nothing_shown_is_not_the_same_as_not_worse(
    value: float, low: float, high: float, corrected: float, expected: str
) -> None:
    assert conclusion(Resampled(Interval(value, low, high), corrected, 5), corrected) == expected


def test_equal_p_values_keep_their_order_and_whole_numbers_count() -> None:
    assert holm([1, 0, 1]) == pytest.approx([1, 0, 1])
    assert conclusion(Resampled(Interval(-0.01, NAN, NAN), 1.0, 5), 1.0) == "undecided"
    assert conclusion(Resampled(Interval(0.0, -0.01, 0.01), 0.5, 5), 0.5) == "undecided"
