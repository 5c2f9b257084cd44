from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import normalize

from cass.evaluation.knn import knn_balanced_accuracy


def clouds(count: int, seed: int, noise: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, count)
    return np.eye(3)[labels] * 2 + rng.normal(0, noise, (count, 3)), np.eye(3, dtype=np.uint8)[labels]


def test_agrees_with_scikit_learn_on_unit_vectors() -> None:
    (bank, bank_targets), (queries, targets) = clouds(200, 0, 0.8), clouds(150, 1, 0.8)
    ours = knn_balanced_accuracy(bank, bank_targets, queries, targets, task="multiclass", k=21)
    model = KNeighborsClassifier(21).fit(normalize(bank), bank_targets.argmax(1))
    expected = balanced_accuracy_score(targets.argmax(1), model.predict(normalize(queries)))
    assert ours == pytest.approx(expected, abs=0.02)  # ties may fall otherwise
    assert 0.5 < ours < 1.0


def test_length_of_embeddings_does_not_matter_and_k_is_cut_to_the_bank() -> None:
    (bank, bank_targets), (queries, targets) = clouds(12, 0, 0.1), clouds(30, 1, 0.1)
    scaled = queries * np.linspace(0.1, 50, 30)[:, None]
    kwargs = {"task": "multiclass", "k": 3}
    assert knn_balanced_accuracy(bank, bank_targets, scaled, targets, **kwargs) == 1.0
    assert 0 <= knn_balanced_accuracy(bank, bank_targets, scaled, targets, task="multiclass", k=99) <= 1


def test_multilabel_votes_by_halves() -> None:
    bank, queries = np.array([[1.0, 0], [0, 1.0]]), np.array([[1.0, 0.1], [0.1, 1.0]])
    labels = np.array([[1, 1], [0, 1]], dtype=np.uint8)
    assert knn_balanced_accuracy(bank, labels, queries, labels, task="multilabel", k=1) == pytest.approx(1.0)


def by_hand(bank: np.ndarray, labels: np.ndarray, queries: np.ndarray, k: int) -> np.ndarray:
    """The class of most of the k nearest; of equally many, that of the greater summed cosine."""
    chosen = []
    for query in queries:
        cosine = bank @ query / np.linalg.norm(bank, axis=1) / np.linalg.norm(query)
        near = np.argsort(-cosine)[:k]
        votes = labels[near].sum(axis=0) + 1e-3 * (labels[near] * cosine[near, None]).sum(axis=0) / k
        chosen.append(votes.argmax())
    return np.array(chosen)


@pytest.mark.parametrize("k", [1, 2, 4, 20])
def test_votes_and_ties_by_hand(k: int) -> None:
    (bank, bank_targets), (queries, targets) = clouds(60, 2, 1.5), clouds(1500, 3, 1.5)
    bank = bank * np.linspace(0.2, 9, 60)[:, None]
    expected = balanced_accuracy_score(targets.argmax(1), by_hand(bank, bank_targets, queries, k))
    ours = knn_balanced_accuracy(bank, bank_targets, queries, targets, task="multiclass", k=k)
    assert ours == pytest.approx(expected)
    if k == 20:
        assert knn_balanced_accuracy(bank, bank_targets, queries, targets, task="multiclass") == ours


def test_whole_numbers_and_empty_embeddings_are_embeddings() -> None:
    bank, labels = np.array([[3, 0], [0, 2], [0, 0]]), np.array([[1, 0], [0, 1], [0, 1]], np.uint8)
    queries = np.array([[5, 1], [1, 5]], np.float16)
    assert knn_balanced_accuracy(bank, labels, queries, labels[:2], task="multiclass", k=1) == 1
