"""Which images to label next: typical ones of parts of the set that have no label, and disputed ones."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from cass.types import Task

NEIGHBOURS = 20
"""Neighbours within its cluster that tell how typical an image is."""

MOST_CLUSTERS = 500
LEAST_OF_A_CLUSTER = 5
"""Images below which a cluster is passed over while there are larger ones."""

Floats = NDArray[np.float64]


def doubt_of(probabilities: Mapping[str, NDArray[np.floating]], *, task: Task) -> Floats:
    """Measure how disputed images are: the entropy of the mean of the branches' probabilities.

    It is the mean of the branches' own entropies plus their disagreement (the Jensen-Shannon divergence).

    Args:
        probabilities: (N, K) of each branch.
        task: Multi-class, or multi-label: the mean over labels.

    Returns:
        (N,) in [0, 1], 1 where nothing is known.
    """
    mean = np.clip(np.mean(list(probabilities.values()), axis=0, dtype=np.float64), 1e-12, 1)
    if task == "multilabel":
        other = np.clip(1 - mean, 1e-12, 1)
        found: Floats = -(mean * np.log(mean) + other * np.log(other)).mean(axis=1) / np.log(2)
        return found
    found = -(mean * np.log(mean)).sum(axis=1) / np.log(mean.shape[1])
    return found


def select_images(
    features: NDArray[np.floating],
    *,
    budget: int,
    free: NDArray[np.bool_],
    known: NDArray[np.bool_],
    codes: NDArray[np.int64],
    doubt: Floats | None,
    seed: int,
) -> NDArray[np.int64]:
    """Choose images to label.

    The set is divided into as many clusters as there are labels and images to choose, at most 500. Clusters
    without a label come first, the largest before the others. Of each the most typical image is taken, the one
    with the nearest 20 neighbours; where a fine-tuned network doubts, the mean rank of typical and disputed
    decides. Images of patients that have none chosen yet go before others.

    Args:
        features: (N, D) embeddings.
        budget: Number of images to choose.
        free: (N,) whether an image can be chosen; at least ``budget`` can.
        known: (N,) whether an image has a label.
        codes: (N,) group codes.
        doubt: (N,) how disputed each image is, or None.
        seed: Seed of the clusters.

    Returns:
        ``budget`` rows, in the order in which to label them.

    Source:
        TypiClust: Hacohen, Dekel & Weinshall, Active Learning on a Budget, ICML 2022.
    """
    from sklearn.cluster import KMeans, MiniBatchKMeans

    rows = np.flatnonzero(free | known)
    count = min(int(known.sum()) + budget, MOST_CLUSTERS, len(rows))
    kind = KMeans if len(rows) <= 10_000 else MiniBatchKMeans
    with threadpool_limits(1):
        clusters = kind(count, n_init=1, random_state=seed).fit_predict(features[rows].astype(np.float32))
    parts = [rows[clusters == number] for number in range(count)]
    rank = {number: _ranks(features, part, doubt) for number, part in enumerate(parts)}
    taken = np.zeros(len(features), dtype=bool)
    per_cluster = np.array([int(known[part].sum()) for part in parts])
    groups = np.bincount(codes[known], minlength=codes.max() + 1)
    chosen: list[int] = []
    while len(chosen) < budget:
        open_ = [number for number, part in enumerate(parts) if (free[part] & ~taken[part]).any()]
        number = min(
            open_,
            key=lambda each: (per_cluster[each], len(parts[each]) < LEAST_OF_A_CLUSTER, -len(parts[each]), each),
        )
        left = np.flatnonzero(free[parts[number]] & ~taken[parts[number]])
        candidates = parts[number][left]
        best = int(candidates[np.lexsort((rank[number][left], groups[codes[candidates]]))[0]])
        chosen.append(best)
        taken[best] = True
        per_cluster[number] += 1
        groups[codes[best]] += 1
    return np.array(chosen, dtype=np.int64)


def _ranks(features: NDArray[np.floating], part: NDArray[np.int64], doubt: Floats | None) -> Floats:
    """Rank the images of a cluster, 0 first: the most typical, or the mean rank of typical and disputed."""
    from sklearn.neighbors import NearestNeighbors

    if len(part) < 2:
        return np.zeros(len(part))
    with threadpool_limits(1):
        near = NearestNeighbors(n_neighbors=min(NEIGHBOURS + 1, len(part))).fit(features[part])
        distances, _ = near.kneighbors(features[part])
    ranks: Floats = distances[:, 1:].mean(axis=1).argsort(kind="stable").argsort().astype(np.float64)
    if doubt is None:
        return ranks
    return (ranks + (-doubt[part]).argsort(kind="stable").argsort()) / 2
