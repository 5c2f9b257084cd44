from __future__ import annotations

import numpy as np

from cass.data.splits.allocation import allocate


def test_unequal_parts_are_met_exactly_where_they_can_be() -> None:
    counts = np.repeat(np.eye(2, dtype=np.int64), [80, 40], axis=0)
    part = allocate(
        counts,
        sizes=np.ones(120, dtype=np.int64),
        ratios=np.array([5.0, 1.0, 2.0]),
        covered=2,
        rng=np.random.default_rng(0),
    )
    assert np.bincount(part[:80]).tolist() == [50, 10, 20]
    assert np.bincount(part[80:]).tolist() == [25, 5, 10]


def test_the_first_part_sees_a_class_that_lives_in_groups_of_rarer_ones() -> None:
    # Class 2 is the most frequent, yet occurs only in groups that come up for classes 0 and 1.
    counts = np.array([[1, 0, 0], [1, 0, 9], [0, 1, 0], [0, 1, 9]])
    for seed in range(20):
        part = allocate(
            counts,
            sizes=counts.sum(axis=1),
            ratios=np.array([1.0, 1.0]),
            covered=3,
            rng=np.random.default_rng(seed),
        )
        assert (counts[part == 0].sum(axis=0) > 0).all()
