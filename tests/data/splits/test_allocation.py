from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cass.data.splits.allocation import _fill_empty, _least_imbalance, allocate, share_out
from cass.errors import DataError


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


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 5), st.integers(1, 6))
def test_a_group_goes_where_it_disturbs_least(seed: int, parts: int, strata: int) -> None:
    rng = np.random.default_rng(seed)
    have, added, share = rng.random((parts, strata)), rng.random(strata), rng.dirichlet(np.ones(parts) * 5)
    chi = []
    for part in range(parts):
        found = have.copy()
        found[part] += added
        chi.append(((found - share[:, None]) ** 2 / share[:, None]).sum())
    assert _least_imbalance(added, have, share) == int(np.argmin(chi))


def test_an_empty_part_gets_the_smallest_group_that_can_be_spared() -> None:
    classes = np.array([[1, 0], [1, 0], [1, 0], [0, 1]])
    sizes = np.array([5, 2, 3, 1])
    # The smallest group has the only images of class 1, so that the next smallest moves.
    assert _fill_empty(np.array([0, 0, 0, 0]), classes, sizes=sizes, parts=2).tolist() == [0, 1, 0, 0]
    assert _fill_empty(np.array([0, 0, 0, 0]), classes, sizes=sizes, parts=3).tolist() == [0, 2, 1, 0]
    # A part that has one group keeps it; part 0 has lost its last spare one.
    assert _fill_empty(np.array([0, 1, 1, 0]), classes, sizes=sizes, parts=3).tolist() == [0, 2, 1, 0]
    assert _fill_empty(np.array([0, 1]), np.eye(2, dtype=np.int64), sizes=np.array([1, 1]), parts=3).tolist() == [
        0,
        1,
    ]


def said(targets: np.ndarray, codes: np.ndarray) -> str:
    with pytest.raises(DataError) as caught:
        share_out(targets, codes=codes, labelled=np.ones(len(codes), bool), seed=0)
    return str(caught.value)


def test_too_few_groups_name_the_fix() -> None:
    fix = "Add images, or give a column 'split' that says which image belongs where."
    none = np.zeros(0, np.int64)
    assert said(np.zeros((0, 1), np.uint8), none) == (f"0 images in 0 groups cannot be split into 3 parts. {fix}")
    assert said(np.eye(5, dtype=np.uint8), np.arange(5)) == (
        f"5 groups are too few to split: almost every one is the only one of its class. {fix}"
    )


def test_unlabelled_images_are_dealt_out_only_where_too_few_groups_have_labels() -> None:
    targets = np.zeros((30, 1), np.uint8)
    labelled = np.zeros(30, bool)
    targets[:3] = labelled[:3] = True
    assert share_out(targets, codes=np.arange(30), labelled=labelled, seed=0)[3:].tolist() == [0] * 27
    targets[2] = labelled[2] = False
    assert np.bincount(share_out(targets, codes=np.arange(30), labelled=labelled, seed=0)).tolist() == [21, 3, 6]


def test_images_without_a_finding_are_a_stratum_of_their_own() -> None:
    targets = np.zeros((40, 1), np.uint8)
    targets[:20] = 1
    for seed in range(5):
        part = share_out(targets, codes=np.arange(40), labelled=np.ones(40, bool), seed=seed)
        assert np.bincount(part[:20]).tolist() == np.bincount(part[20:]).tolist() == [14, 2, 4]
