"""Which images show the same: exact copies by content, near-duplicates by how they look."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from cass.auditing.appearance import CROPS, candidate_pairs
from cass.auditing.facts import ImageFacts, small_picture
from cass.auditing.neighbours import Index
from cass.auditing.registration import agreement
from cass.data.manifest.manifest import Manifest
from cass.progress import image_counter

AGREEMENT = 0.94
"""Least correlation of the local structure of near-duplicates, after alignment."""
KEPT = 512
"""Decoded images that are kept while candidates are compared, 64 KiB each."""
PAIRS = 65_536
"""Pairs of embeddings that are compared at once."""

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


def near_pairs(manifest: Manifest, facts: ImageFacts) -> Ints:
    """Find near-duplicates: scaled, recompressed, brightened or slightly cropped copies of an image.

    Candidates come from a search over the thumbnails. Each is then decoded again, aligned, and compared
    at a finer resolution. A pair inside a family that other pairs have joined already is not looked at.

    Args:
        manifest: N images.
        facts: Their facts; unreadable and constant images pair with none.

    Returns:
        (P, 2) rows, the lower first, that join every family of near-duplicates; exact copies are among them.
    """
    from scipy.cluster.hierarchy import DisjointSet

    usable = np.flatnonzero(facts.readable & ~facts.constant)
    exact = [(int(same[0]), int(row)) for same in copies(facts.digests) for row in same[1:]]
    exact = [pair for pair in exact if not facts.constant[pair[0]] and pair[0] not in facts.errors]
    rows = np.setdiff1d(usable, [row for _, row in exact])
    with image_counter(len(rows), "Searching for similar images") as on_progress:
        candidates = candidate_pairs(facts.thumbnails[rows], on_progress=on_progress)
    picture = lru_cache(maxsize=KEPT)(lambda row: small_picture(manifest.path(row)))
    joined = DisjointSet()
    found = exact
    with image_counter(len(candidates.copy), "Comparing similar images") as on_progress:
        for number, (first, second, crop) in enumerate(zip(*candidates, strict=True)):
            original, copy = int(rows[first]), int(rows[second])
            joined.add(original)
            joined.add(copy)
            if joined.connected(original, copy):
                continue
            if agreement(picture(original), picture(copy), CROPS[crop]) >= AGREEMENT:
                joined.merge(original, copy)
                found.append((min(original, copy), max(original, copy)))
            on_progress(number + 1)
    return np.array(sorted(found), dtype=np.int64).reshape(-1, 2)


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
    near = Index(centred[0]).near(centred[0], least=least)
    pairs = np.unique(np.sort(np.stack([near.query, near.member], axis=1), axis=1), axis=0)
    found = [np.empty((0, 2), dtype=np.int64)]
    for start in range(0, len(pairs), PAIRS):
        some = pairs[start : start + PAIRS]
        for part in centred[1:]:
            some = some[np.einsum("pd,pd->p", part[some[:, 0]], part[some[:, 1]]) >= least]
        found.append(some)
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
