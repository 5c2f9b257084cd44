from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cass.data.splits.fractions import label_subset
from cass.errors import ConfigError, DataError

FRACTIONS = (0.01, 0.05, 0.1, 0.25, 0.5, 0.9, 1.0)


def _set(rng: np.random.Generator, n: int, classes: int, multilabel: bool) -> np.ndarray:
    if multilabel:
        return (rng.random((n, classes)) < 0.3).astype(np.uint8)
    return np.eye(classes, dtype=np.uint8)[
        rng.choice(classes, n, p=np.arange(1, classes + 1) / (classes * (classes + 1) / 2))
    ]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 120), st.integers(1, 5), st.booleans(), st.booleans())
def test_nested_and_every_class_present(seed: int, n: int, classes: int, multi: bool, grouped: bool) -> None:
    rng = np.random.default_rng(seed)
    targets = _set(rng, n, classes, multi)
    groups = rng.choice(["", "a", "b", "c", "d"], n) if grouped else None
    candidates = np.flatnonzero(rng.random(n) < 0.8)
    if not len(candidates):
        return
    smaller: set[int] = set()
    for fraction in FRACTIONS:
        subset = label_subset(targets, candidates=candidates, fraction=fraction, groups=groups, seed=seed)
        assert subset.dtype == np.int64
        assert (np.diff(subset) > 0).all()
        assert set(subset) <= set(candidates)
        assert smaller <= set(subset)
        assert (targets[subset].any(axis=0) == targets[candidates].any(axis=0)).all()
        smaller = set(subset.tolist())
    assert smaller == set(candidates.tolist())


@pytest.mark.parametrize("fraction", FRACTIONS)
def test_exact_count_per_class(fraction: float) -> None:
    targets = np.eye(3, dtype=np.uint8)[np.repeat([0, 1, 2], [50, 25, 4])]
    subset = label_subset(targets, candidates=np.arange(79), fraction=fraction, groups=None, seed=1)
    expected = [max(1, math.floor(fraction * n + 0.5)) for n in (50, 25, 4)]
    assert targets[subset].sum(axis=0).tolist() == expected


def test_half_is_rounded_up_in_spite_of_floating_point() -> None:
    targets = np.ones((50, 1), dtype=np.uint8)
    assert len(label_subset(targets, candidates=np.arange(50), fraction=0.29, groups=None, seed=0)) == 15


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.05, 0.13, 0.4, 0.77]), st.booleans())
def test_groups_are_completed_one_after_the_other(seed: int, fraction: float, multi: bool) -> None:
    rng = np.random.default_rng(seed)
    n = 200
    groups = rng.choice([f"p{i}" for i in range(12)], n)
    if multi:
        targets = np.ones((n, 2), dtype=np.uint8)
    else:
        targets = np.eye(3, dtype=np.uint8)[rng.integers(0, 3, n)]
    chosen = np.isin(
        np.arange(n),
        label_subset(targets, candidates=np.arange(n), fraction=fraction, groups=groups, seed=seed),
    )
    for column in range(1 if multi else targets.shape[1]):
        of_class = targets[:, column] == 1
        shares = [chosen[of_class & (groups == g)].mean() for g in np.unique(groups[of_class])]
        assert sum(0 < share < 1 for share in shares) <= 1


def test_seed_decides() -> None:
    targets = np.eye(2, dtype=np.uint8)[np.arange(200) % 2]

    def draw(seed: int) -> list[int]:
        return label_subset(targets, candidates=np.arange(200), fraction=0.1, groups=None, seed=seed).tolist()

    assert draw(3) == draw(3)
    assert draw(3) != draw(4)


def test_multilabel_count_and_images_without_findings() -> None:
    targets = np.zeros((100, 3), dtype=np.uint8)
    targets[:30, 0] = targets[20:40, 1] = targets[99, 2] = 1
    for fraction, count in ((0.01, 2), (0.2, 20)):
        subset = label_subset(targets, candidates=np.arange(100), fraction=fraction, groups=None, seed=0)
        assert count <= len(subset) <= max(count, 3)
        assert targets[subset].any(axis=0).all()
    none = np.zeros((20, 2), dtype=np.uint8)
    assert len(label_subset(none, candidates=np.arange(20), fraction=0.1, groups=None, seed=0)) == 2


@pytest.mark.parametrize("fraction", [0.0, -0.1, 1.01, float("nan")])
def test_fraction_outside_its_bounds(fraction: float) -> None:
    with pytest.raises(ConfigError, match=r"outside \(0, 1\]"):
        label_subset(
            np.ones((3, 1), dtype=np.uint8), candidates=np.arange(3), fraction=fraction, groups=None, seed=0
        )


def test_no_candidates() -> None:
    with pytest.raises(DataError, match="No training image has a label"):
        label_subset(np.ones((3, 1), dtype=np.uint8), candidates=np.arange(0), fraction=0.5, groups=None, seed=0)


def test_multilabel_completes_the_groups_that_the_rare_classes_came_from() -> None:
    for seed in range(10):
        rng = np.random.default_rng(seed)
        targets = (rng.random((200, 4)) < [0.5, 0.05, 0.03, 0.02]).astype(np.uint8)
        groups = np.array([f"p{i // 5}" for i in range(200)])
        subset = label_subset(targets, candidates=np.arange(200), fraction=0.3, groups=groups, seed=seed)
        _, counts = np.unique(groups[subset], return_counts=True)
        assert (counts < 5).sum() <= 1
