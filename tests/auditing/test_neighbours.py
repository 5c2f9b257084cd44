from __future__ import annotations

import numpy as np
import pytest

from cass.auditing import centres, neighbours
from cass.auditing.neighbours import Index


def directions(count: int, width: int = 24, seed: int = 0) -> np.ndarray:
    found = np.random.default_rng(seed).normal(size=(count, width))
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


def pairs(found: neighbours.Neighbours) -> set[tuple[int, int]]:
    return set(zip(found.query.tolist(), found.member.tolist(), strict=True))


def exact(queries: np.ndarray, members: np.ndarray, least: float) -> set[tuple[int, int]]:
    similar = queries @ members.T
    np.fill_diagonal(similar, -1)
    return set(zip(*(rows.tolist() for rows in np.nonzero(similar >= least)), strict=True))


@pytest.mark.parametrize("held", [13, neighbours.AT_ONCE])
def test_all_pairs_of_a_small_set(monkeypatch: pytest.MonkeyPatch, held: int) -> None:
    monkeypatch.setattr(neighbours, "AT_ONCE", held)
    monkeypatch.setattr(neighbours, "QUERIES", 50)
    vectors, queries = directions(120), directions(120, seed=1)
    found = Index(vectors).near(queries, least=0.4)
    assert pairs(found) == exact(queries, vectors, 0.4)
    cosines = (queries[found.query] * vectors[found.member]).sum(axis=1)
    np.testing.assert_allclose(found.similarity, cosines, atol=1e-5)
    assert (np.diff(found.query) >= 0).all()


def test_cells_find_the_pairs_of_the_exact_search(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = directions(3000)
    rng = np.random.default_rng(2)
    vectors[1500:] = vectors[:1500] + 0.6 * rng.normal(size=(1500, 24)).astype(np.float32) / np.sqrt(24)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    everything = exact(vectors, vectors, 0.75)
    monkeypatch.setattr(neighbours, "EXACT", 1000)
    monkeypatch.setattr(neighbours, "CELL", 16)
    compared = 0
    original = np.flatnonzero

    def counted(matrix: np.ndarray) -> np.ndarray:
        nonlocal compared
        compared += matrix.size
        return original(matrix)

    monkeypatch.setattr(neighbours.np, "flatnonzero", counted)
    found = pairs(Index(vectors).near(vectors, least=0.75))
    assert compared < 0.35 * 3000**2
    assert found <= everything
    assert len(found) > 0.98 * len(everything)


def test_groups_of_cells_find_most_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "EXACT", 1000)
    monkeypatch.setattr(neighbours, "CELL", 4)
    monkeypatch.setattr(centres, "GROUP", 16)
    vectors = directions(3000)
    vectors[1500:] = vectors[:1500] + 0.3 * directions(1500, seed=2)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    everything = exact(vectors, vectors, 0.9)
    assert len(everything) >= 3000
    assert len(pairs(Index(vectors).near(vectors, least=0.9)) & everything) > 0.95 * len(everything)


def test_cells_need_not_hold_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "EXACT", 10)
    monkeypatch.setattr(neighbours, "CELL", 2)
    vectors = directions(3).repeat(10, axis=0)  # centres of the same direction: the first takes all
    found = pairs(Index(vectors).near(vectors, least=0.99))
    assert found == {(a, b) for a in range(30) for b in range(30) if a != b and a // 10 == b // 10}


def test_many_equal_images_find_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "EXACT", 10)
    monkeypatch.setattr(neighbours, "CELL", 1)
    vectors = np.concatenate([directions(20, seed=1), directions(1).repeat(400, axis=0)])
    found = Index(vectors).near(vectors, least=0.999, most=3)
    assert np.bincount(found.query, minlength=420).tolist() == [0] * 20 + [3] * 400


@pytest.mark.parametrize("limit", [5, neighbours.EXACT])
def test_the_nearest_are_kept(monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    monkeypatch.setattr(neighbours, "EXACT", limit)
    vectors = directions(40, width=3)
    all_of_them = Index(vectors).near(vectors, least=0.2)
    found = Index(vectors).near(vectors, least=0.2, most=2)
    for query in range(40):
        best = np.sort(all_of_them.similarity[all_of_them.query == query])[::-1][:2]
        np.testing.assert_array_equal(found.similarity[found.query == query], best)
    assert len(Index(vectors[:2]).near(vectors[:2], least=1.0, most=1).query) == 0
