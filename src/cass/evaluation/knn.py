"""A nearest-neighbour probe: how well the neighbours of an embedding tell its label."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cass.evaluation.metrics import balanced_accuracy
from cass.types import Task

QUERIES_PER_CHUNK = 1024
TIE_BREAK = 1e-6


def knn_balanced_accuracy(
    bank: NDArray[np.floating],
    bank_targets: NDArray[np.uint8],
    queries: NDArray[np.floating],
    query_targets: NDArray[np.uint8],
    *,
    task: Task,
    k: int = 20,
) -> float:
    """Measure the balanced accuracy of a k-nearest-neighbour classifier on L2-normalised embeddings.

    Args:
        bank: Labelled embeddings (M, D) to look neighbours up in.
        bank_targets: Their labels (M, K) of 0 and 1.
        queries: Embeddings (Q, D) to classify; none of them in the bank.
        query_targets: Their labels (Q, K).
        task: Multi-class (most votes; ties go to the greater summed similarity) or multi-label (half the
            votes or more).
        k: Neighbours, by cosine similarity; at most M are used.

    Returns:
        Balanced accuracy in [0, 1].
    """
    unit_bank, unit_queries = _unit(bank), _unit(queries)
    k = min(k, len(bank))
    votes = np.empty((len(queries), bank_targets.shape[1]))
    for start in range(0, len(queries), QUERIES_PER_CHUNK):
        similarity = unit_queries[start : start + QUERIES_PER_CHUNK] @ unit_bank.T  # (q, M)
        nearest = np.argpartition(-similarity, k - 1, axis=1)[:, :k]
        labels = bank_targets[nearest].astype(np.float64)  # (q, k, K)
        closeness = np.take_along_axis(similarity, nearest, axis=1)[:, :, None]
        votes[start : start + QUERIES_PER_CHUNK] = (labels + TIE_BREAK * labels * closeness).mean(axis=1)
    return balanced_accuracy(votes, query_targets, task=task)


def _unit(embeddings: NDArray[np.floating]) -> NDArray[np.float64]:
    values = np.asarray(embeddings, dtype=np.float64)
    unit: NDArray[np.float64] = values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12)
    return unit
