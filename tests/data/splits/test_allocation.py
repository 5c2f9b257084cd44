from __future__ import annotations

import numpy as np

from cass.data.splits.allocation import allocate, share_out


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


def test_unlabelled_groups_go_to_training() -> None:
    rng = np.random.default_rng(0)
    labelled = np.arange(280) < 100
    targets = np.eye(2, dtype=np.uint8)[rng.integers(0, 2, 280)] * labelled[:, None].astype(np.uint8)
    part = share_out(targets, codes=np.arange(280), labelled=labelled, seed=0)
    assert set(part[~labelled]) == {0}
    assert np.bincount(part[labelled], minlength=3).tolist() == [70, 10, 20]


def test_an_unlabelled_image_stays_with_its_group() -> None:
    codes = np.repeat(np.arange(60), 2)
    labelled = np.tile([True, False], 60)  # one image of each group
    targets = np.eye(2, dtype=np.uint8)[codes % 2] * labelled[:, None].astype(np.uint8)
    part = share_out(targets, codes=codes, labelled=labelled, seed=0)
    assert (part[::2] == part[1::2]).all()
    assert set(part) == {0, 1, 2}


def test_without_labels_all_parts_are_filled() -> None:
    part = share_out(np.zeros((50, 0), np.uint8), codes=np.arange(50), labelled=np.zeros(50, bool), seed=0)
    assert np.bincount(part).tolist() == [35, 5, 10]
