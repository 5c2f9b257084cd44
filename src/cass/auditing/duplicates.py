"""Which images show the same: exact copies by content, near-duplicates by how they look."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cass.auditing.facts import ImageFacts

DISTANCE = 4
"""Most bits by which the 64-bit hashes of near-duplicates differ."""
CORRELATION = 0.98
"""Least correlation of their 16 x 16 thumbnails."""
BLOCK = 128

Ints = NDArray[np.int64]


def copies(digests: Sequence[str]) -> list[Ints]:
    """Find files of the same content.

    Args:
        digests: N content digests; "" stands for none.

    Returns:
        Rows of each set of two files or more.
    """
    rows: dict[str, list[int]] = defaultdict(list)
    for row, digest in enumerate(digests):
        if digest:
            rows[digest].append(row)
    return [np.array(found, dtype=np.int64) for found in rows.values() if len(found) > 1]


def near_pairs(facts: ImageFacts) -> Ints:
    """Find the pairs of images that look nearly the same: scaled, compressed or slightly changed copies.

    Two images are a pair where their difference hashes differ in at most 4 of 64 bits and their thumbnails
    correlate by 0.98 or more. Every image is compared with every other, some billion pairs a few seconds.

    Args:
        facts: Of N images; unreadable and constant ones pair with none.

    Returns:
        (P, 2) rows, the lower first; exact copies are among them.
    """
    rows = np.flatnonzero(facts.readable & ~facts.constant)
    hashes = facts.hashes[rows]
    centred = facts.thumbnails[rows].astype(np.float32)
    centred -= centred.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(centred, axis=1, keepdims=True)
    centred /= np.where(norms > 0, norms, 1)
    found = [np.empty((0, 2), dtype=np.int64)]
    for start in range(0, len(rows), BLOCK):
        block = hashes[start : start + BLOCK]
        near = np.bitwise_count(block[:, None] ^ hashes[None, start:]) <= DISTANCE
        first, second = np.nonzero(near)
        later = second > first  # both count from ``start``
        first, second = first[later] + start, second[later] + start
        alike = np.einsum("ij,ij->i", centred[first], centred[second]) >= CORRELATION
        found.append(np.stack([rows[first[alike]], rows[second[alike]]], axis=1))
    return np.concatenate(found)


def similar_pairs(embeddings: Sequence[NDArray[np.floating]], *, least: float) -> Ints:
    """Find the pairs of images that every one of some networks sees nearly alike.

    Args:
        embeddings: (N, D) of each network; the widths D may differ.
        least: Least cosine of centred embeddings, in every network.

    Returns:
        (P, 2) rows, the lower first.
    """
    centred = []
    for embedding in embeddings:
        part = np.asarray(embedding, dtype=np.float32) - np.mean(embedding, axis=0, dtype=np.float32)
        centred.append(part / np.maximum(np.linalg.norm(part, axis=1, keepdims=True), 1e-12))
    count = len(centred[0])
    found = [np.empty((0, 2), dtype=np.int64)]
    for start in range(0, count, BLOCK):
        near = np.ones((min(BLOCK, count - start), count - start), dtype=np.bool_)
        for part in centred:
            near &= part[start : start + BLOCK] @ part[start:].T >= least
        first, second = np.nonzero(np.triu(near, 1))
        found.append(np.stack([first + start, second + start], axis=1))
    return np.concatenate(found)


def families(pairs: Ints, *, count: int) -> Ints:
    """Join pairs into families: whoever is paired with a member belongs to it.

    Args:
        pairs: (P, 2) rows in [0, N).
        count: N.

    Returns:
        (N,) family numbers from 0; an image without a pair is alone in its own.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    ones = np.ones(len(pairs), dtype=np.uint8)
    graph = coo_matrix((ones, (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    codes: Ints = connected_components(graph, directed=False)[1].astype(np.int64)
    return codes


def members(codes: Ints) -> list[Ints]:
    """List the rows of each family of two or more, the largest first.

    Args:
        codes: (N,) family numbers.
    """
    order = np.argsort(codes, kind="stable")
    cuts = np.flatnonzero(np.diff(codes[order])) + 1
    found = [part for part in np.split(order, cuts) if len(part) > 1]
    return sorted(found, key=lambda part: (-len(part), int(part[0])))
