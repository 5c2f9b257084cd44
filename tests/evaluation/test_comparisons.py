from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from cass.evaluation.comparisons import (
    Difference,
    conclusion,
    holm,
    mean_over_cells,
    paired_difference,
    t_interval,
)

NAN = float("nan")


def test_the_paired_test_agrees_with_scipy() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.normal(0.8, 0.05, 7), rng.normal(0.75, 0.05, 7)
    mine = paired_difference(first, second)
    theirs = stats.ttest_rel(first, second)
    around = theirs.confidence_interval(0.95)
    assert mine.p == pytest.approx(theirs.pvalue)
    assert (mine.low, mine.high) == pytest.approx((around.low, around.high))
    assert mine.mean == pytest.approx(first.mean() - second.mean())
    assert mine.n == 7


def test_the_interval_of_a_mean_by_hand() -> None:
    entry = t_interval(np.array([1.0, 2.0, 3.0, np.nan]))
    # The 97.5% point of t with 2 degrees of freedom is 4.302653 (any printed table).
    half = 4.302653 * 1.0 / np.sqrt(3)
    assert (entry.value, entry.low, entry.high) == pytest.approx((2, 2 - half, 2 + half), abs=1e-6)


def test_seeds_that_one_side_lacks_do_not_count() -> None:
    whole = paired_difference(np.array([0.5, 0.7, 0.9]), np.array([0.4, 0.5, 0.6]))
    holes = paired_difference(np.array([0.5, 0.7, 0.9, NAN, 1.0]), np.array([0.4, 0.5, 0.6, 0.1, NAN]))
    assert holes == whole
    assert holes.n == 3


def test_one_seed_makes_no_claim() -> None:
    alone = paired_difference(np.array([0.9]), np.array([0.1]))
    assert alone.mean == pytest.approx(0.8)
    assert np.isnan([alone.low, alone.high, alone.p]).all()
    assert conclusion(alone, alone.p) == "no claim"
    assert np.isnan(t_interval(np.array([0.9])).low)
    assert np.isnan(paired_difference(np.array([]), np.array([])).mean)


def test_equal_differences_have_no_test_unless_there_is_no_difference() -> None:
    same = np.array([0.5, 0.6, 0.7])
    assert paired_difference(same, same) == Difference(0.0, 0.0, 0.0, 1.0, 3)
    assert np.isnan(paired_difference(same + 0.1, same).p)


def test_sides_of_other_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="paired"):
        paired_difference(np.zeros(2), np.zeros(3))


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


def test_seeds_are_the_replicates_and_a_missing_cell_takes_its_seed_away() -> None:
    values = np.array([[0.2, 0.4, NAN], [0.4, 0.8, 0.9]])
    means = mean_over_cells(values)
    assert means[:2] == pytest.approx([0.3, 0.6])
    assert np.isnan(means[2])
    assert np.isnan(mean_over_cells(np.zeros((0, 2)))).all()


def test_conclusions() -> None:
    gain, loss = Difference(0.1, 0.05, 0.15, 0.001, 5), Difference(-0.1, -0.15, -0.05, 0.001, 5)
    assert conclusion(gain, 0.01) == "better"
    assert conclusion(loss, 0.01) == "worse"
    assert conclusion(gain, 0.05) == "no difference shown"
    assert conclusion(gain, NAN) == "no claim"
