from __future__ import annotations

import numpy as np
import pytest

from cass.evaluation.bootstrap import interval, resample_counts
from cass.groups import group_codes


def test_groups_are_drawn_whole() -> None:
    groups = np.array(["a", "a", "b", "b", "b", ""])
    codes = group_codes(groups, count=6)
    counts = resample_counts(codes, resamples=200, seed=0)
    assert (counts[:, 0] == counts[:, 1]).all()
    assert (counts[:, 2] == counts[:, 4]).all()
    units = counts[:, [0, 2, 5]].sum(axis=1)
    assert (units == 3).all()


def test_the_seed_decides_the_draw() -> None:
    codes = group_codes(None, count=20)
    first, same, other = (resample_counts(codes, resamples=5, seed=seed) for seed in (1, 1, 2))
    assert (first == same).all()
    assert (first != other).any()


def test_the_interval_covers_the_middle_95_percent() -> None:
    entry = interval(0.5, np.linspace(0, 1, 1001))
    assert (entry.value, entry.low, entry.high) == pytest.approx((0.5, 0.025, 0.975))


def test_undefined_draws_are_left_out_and_too_many_give_no_interval() -> None:
    draws = np.array([0.4, 0.6, np.nan])
    assert 0.4 <= interval(0.5, draws).low <= 0.6
    assert np.isnan(interval(0.5, np.array([0.4, np.nan, np.nan])).low)


def test_half_of_the_draws_must_be_defined() -> None:
    nan = np.nan
    assert interval(0.5, np.array([0.4, 0.6, nan, nan])).low == pytest.approx(0.405)
    for value, draws in ((0.5, [0.4, 0.6, nan, nan, nan]), (nan, [0.4, 0.6, 0.5]), (0.5, [])):
        found = interval(value, np.array(draws))
        assert np.isnan([found.low, found.high]).all()
    assert resample_counts(np.zeros(3, np.int64), resamples=2, seed=0).dtype == np.float64
