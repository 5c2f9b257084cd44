from __future__ import annotations

import numpy as np
import pytest

from cass.auditing import centres
from cass.auditing.centres import Centres


def directions(count: int, width: int = 16, seed: int = 0) -> np.ndarray:
    found = np.random.default_rng(seed).normal(size=(count, width))
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


def nearest_of_all(queries: np.ndarray, vectors: np.ndarray, most: int) -> list[set[int]]:
    return [set(row) for row in np.argsort(-(queries @ vectors.T), axis=1)[:, :most].tolist()]


@pytest.mark.parametrize("held", [100, centres.AT_ONCE])
def test_few_centres_are_all_compared(monkeypatch: pytest.MonkeyPatch, held: int) -> None:
    monkeypatch.setattr(centres, "AT_ONCE", held)
    vectors, queries = directions(90), directions(40, seed=1)
    assert [set(row) for row in Centres(vectors).nearest(queries, 7).tolist()] == nearest_of_all(
        queries, vectors, 7
    )
    assert Centres(vectors[:3]).nearest(queries, 7).shape == (40, 3)


@pytest.fixture
def comparisons(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count the similarities that each choice of the highest has seen."""
    seen: list[int] = []
    highest = centres._highest

    def counted(values: np.ndarray, most: int) -> np.ndarray:
        seen.append(int(np.isfinite(values).sum()))
        return highest(values, most)

    monkeypatch.setattr(centres, "_highest", counted)
    return seen


def test_many_centres_are_found_with_a_fraction_of_the_comparisons(
    monkeypatch: pytest.MonkeyPatch, comparisons: list[int]
) -> None:
    monkeypatch.setattr(centres, "GROUP", 20)
    vectors = directions(2000)
    rng = np.random.default_rng(2)
    queries = vectors + 0.3 * directions(2000, seed=3) * rng.random((2000, 1), dtype=np.float32)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    found = Centres(vectors).nearest(queries, 8)
    assert sum(comparisons) < 0.3 * 2000**2
    assert all(len(set(row)) == 8 for row in found.tolist())
    assert np.mean([row in near for row, near in enumerate(found.tolist())]) > 0.99
    wanted = nearest_of_all(queries, vectors, 8)
    assert np.mean([len(near & set(row)) / 8 for near, row in zip(wanted, found.tolist(), strict=True)]) > 0.75


def test_comparisons_hardly_grow_with_the_centres(comparisons: list[int]) -> None:
    queries = directions(200, width=32, seed=1)
    found = []
    for count in (2000, 8000):
        comparisons.clear()
        Centres(directions(count, width=32)).nearest(queries, 8)
        found.append(sum(comparisons))
    assert found[1] < 1.3 * found[0]


def test_groups_that_hold_too_few_are_filled_with_minus_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(centres, "GROUP", 4)
    monkeypatch.setattr(centres, "GROUPS_SEARCHED", 2)
    near = directions(1, width=3).repeat(40, axis=0) + 1e-3 * directions(40, width=3, seed=4)
    vectors = np.concatenate([near, np.eye(3), -np.eye(3)]).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    found = Centres(vectors).nearest(-np.eye(3, dtype=np.float32), 60)
    assert found.shape[1] <= 46
    assert (found == -1).any()
    for row in found.tolist():
        held = [number for number in row if number >= 0]
        assert len(held) == len(set(held)) > 0


def test_many_centres_that_are_much_alike_do_not_slow_the_search(comparisons: list[int]) -> None:
    rng = np.random.default_rng(5)
    alike = directions(1).repeat(3000, axis=0) + 0.05 * rng.normal(size=(3000, 16)).astype(np.float32)
    alike /= np.linalg.norm(alike, axis=1, keepdims=True)
    vectors = np.concatenate([alike, directions(3000, seed=6)])[rng.permutation(6000)]
    index = Centres(vectors)
    queries = np.concatenate([alike[:50], directions(50, seed=7)])
    found = index.nearest(queries, 8)
    assert found.shape == (100, 8)
    assert (found >= 0).all()
    assert index._width <= centres.LARGEST_GROUP
    assert sum(comparisons) < 100 * (centres.GROUPS_SEARCHED * centres.LARGEST_GROUP + 250)
    best = np.take_along_axis(queries @ vectors.T, found, axis=1).max(axis=1)
    assert np.mean(best > (queries @ vectors.T).max(axis=1) - 0.05) > 0.9
