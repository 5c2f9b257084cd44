from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cass.evaluation.joint import joint_embeddings
from cass.evaluation.selection import doubt_of, select_images


def blobs(counts: list[int], *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Clusters far from each other, the first image of each in its middle."""
    rng = np.random.default_rng(seed)
    parts = []
    for number, count in enumerate(counts):
        middle = 100.0 * np.eye(8)[number]
        parts += [middle[None], middle + rng.normal(size=(count - 1, 8))]
    return np.concatenate(parts), np.repeat(np.arange(len(counts)), counts)


def choose(features: np.ndarray, budget: int, **given: object) -> np.ndarray:
    count = len(features)
    base = {
        "free": np.ones(count, bool),
        "known": np.zeros(count, bool),
        "codes": np.arange(count),
        "doubt": None,
        "seed": 0,
    }
    return select_images(features, budget=budget, **(base | given))  # type: ignore[arg-type]


def test_one_typical_image_of_each_cluster_comes_first() -> None:
    features, clusters = blobs([40, 30, 20])
    chosen = choose(features, 3)
    assert clusters[chosen].tolist() == [0, 1, 2]  # the largest first
    assert chosen.tolist() == [0, 40, 70]  # their middles


def test_clusters_without_a_label_come_before_others() -> None:
    features, clusters = blobs([40, 30, 20])
    known = np.zeros(90, bool)
    known[[5, 45]] = True
    chosen = choose(features, 1, known=known, free=~known)
    assert clusters[chosen].tolist() == [2]


def test_a_patient_is_not_asked_twice_while_others_wait() -> None:
    features, _ = blobs([30])
    codes = np.arange(30) % 3
    chosen = choose(features, 3, codes=codes)
    assert sorted(codes[chosen]) == [0, 1, 2]


def test_disputed_images_come_before_certain_ones_in_the_same_place() -> None:
    features, _ = blobs([30])
    features[1] = features[0] + 1e-3  # as typical as the middle
    doubt = np.full(30, 0.5)
    doubt[:2] = 0.0, 1.0
    assert choose(features, 1, doubt=doubt).tolist() == [1]


@settings(max_examples=25, deadline=None)
@given(st.integers(5, 60), st.integers(1, 5), st.integers(0, 10))
def test_what_is_chosen_is_free_and_chosen_once(count: int, budget: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    free = rng.random(count) < 0.7
    free[: min(budget, count)] = True
    chosen = choose(
        rng.normal(size=(count, 4)), budget, free=free, known=~free & (rng.random(count) < 0.5), seed=seed
    )
    assert len(set(chosen.tolist())) == budget
    assert free[chosen].all()


def test_doubt_is_highest_where_branches_disagree() -> None:
    sure, even = np.array([[0.99, 0.01]]), np.array([[0.5, 0.5]])
    opposed = {"cnn": sure, "transformer": sure[:, ::-1]}
    assert doubt_of(opposed, task="multiclass")[0] == pytest.approx(1.0)
    assert doubt_of({"cnn": even, "transformer": even}, task="multilabel")[0] == pytest.approx(1.0)
    assert doubt_of({"cnn": sure, "transformer": sure}, task="multiclass")[0] < 0.1


def test_branches_count_alike_whatever_their_scale() -> None:
    rng = np.random.default_rng(0)
    first, second = (rng.normal(size=(50, width)).astype(np.float32) for width in (3, 7))
    joined = joint_embeddings({"cnn": 1000 * first + 5, "transformer": second})
    assert joined.shape == (50, 10)
    for part in (joined[:, :3], joined[:, 3:]):
        assert (part**2).sum(axis=1).mean() == pytest.approx(1.0, rel=1e-4)


def test_doubt_by_hand() -> None:
    sure = {"cnn": np.array([[1.0, 0.0, 0.0]]), "transformer": np.array([[0.5, 0.5, 0.0]])}
    mean = np.array([0.75, 0.25])
    entropy = -(mean * np.log(mean)).sum()
    assert doubt_of(sure, task="multiclass") == pytest.approx([entropy / np.log(3)])
    labels = {"cnn": np.array([[1.0, 0.25]]), "transformer": np.array([[1.0, 0.25]])}
    assert doubt_of(labels, task="multilabel") == pytest.approx([entropy / np.log(2) / 2])
    certain = np.array([[1.0, 0.0]])
    for task in ("multiclass", "multilabel"):
        assert doubt_of({"cnn": certain}, task=task) == pytest.approx([0.0], abs=1e-9)


def test_more_images_than_clusters_are_chosen_once_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cass.evaluation.selection.MOST_CLUSTERS", 3)
    features, clusters = blobs([40, 30, 20])
    chosen = choose(features, 90)
    assert sorted(chosen) == list(range(90))
    assert chosen.dtype == np.int64
    assert clusters[chosen[:9]].tolist() == [0, 1, 2] * 3  # in turn
    known = np.zeros(90, bool)
    known[[1, 2, 45]] = True
    after = choose(features, 6, known=known, free=~known)
    assert clusters[after].tolist() == [2, 1, 2, 0, 1, 2]  # that with the fewest labels, of equal ones the largest


def test_images_that_are_neither_free_nor_labelled_are_never_chosen() -> None:
    features, _ = blobs([40, 30])
    free = np.zeros(70, bool)
    free[[3, 44]] = True
    known = np.zeros(70, bool)
    known[[5, 6]] = True
    assert sorted(choose(features, 2, free=free, known=known)) == [3, 44]


def test_small_clusters_come_after_larger_ones_even_without_a_label(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cass.evaluation.selection.MOST_CLUSTERS", 3)
    features, clusters = blobs([20, 5, 4])
    assert clusters[choose(features, 3)].tolist() == [0, 1, 2]
    known = np.zeros(29, bool)
    known[[1, 21]] = True
    assert clusters[choose(features, 2, known=known, free=~known)].tolist() == [2, 0]


def test_patients_with_fewer_chosen_images_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cass.evaluation.selection.MOST_CLUSTERS", 1)
    features, _ = blobs([12])
    codes = np.repeat(np.arange(3), 4)
    chosen = choose(features, 9, codes=codes)
    assert [sorted(codes[chosen[start : start + 3]]) for start in (0, 3, 6)] == [[0, 1, 2]] * 3
    known = np.zeros(12, bool)
    known[:2] = True  # two labels of the first patient
    assert sorted(codes[choose(features, 4, codes=codes, known=known, free=~known)]) == [1, 1, 2, 2]


def test_the_most_typical_image_has_the_nearest_twenty_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cass.evaluation.selection.MOST_CLUSTERS", 1)
    features = np.random.default_rng(4).normal(size=(60, 3))
    gaps = np.sort(np.linalg.norm(features[:, None] - features[None], axis=2), axis=1)
    typical = gaps[:, 1:21].mean(axis=1).argsort()
    assert choose(features, 60).tolist() == typical.tolist()
    doubt = np.random.default_rng(5).random(60)
    ranks = (typical.argsort() + (-doubt).argsort().argsort()) / 2
    assert choose(features, 60, doubt=doubt).tolist() == np.argsort(ranks, kind="stable").tolist()


def test_large_sets_are_clustered_in_small_batches() -> None:
    features, clusters = blobs([6000, 4500])
    assert clusters[choose(features, 2)].tolist() == [0, 1]
