"""Which vectors point nearly the same way: exact for sets of usual size, in cells for large ones.

A large set is divided into cells around some of its own vectors, as an inverted file is. A query is compared with
the vectors of the nearest cells only (Sivic and Zisserman, Video Google, ICCV 2003; Jégou et al., TPAMI 2011,
section IV).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cass.auditing.centres import AT_ONCE, Centres

EXACT = 16_384
"""Most vectors for which all pairs are compared."""
CELL = 256
"""Vectors per cell, on average."""
PROBES = 32
"""Cells that a query is compared with."""
QUERIES = 32_768
"""Queries whose neighbours are collected before the nearest are chosen, with up to 1,024 cells; with more cells
there are more, so that as many queries visit a cell at once."""

Vectors = NDArray[np.float32]
Ints = NDArray[np.int64]


class Neighbours(NamedTuple):
    """Pairs of similar vectors.

    Attributes:
        similarity: (P,) cosine similarity.
        query: (P,) rows of the queries.
        member: (P,) rows of the indexed vectors.
    """

    similarity: Vectors
    query: Ints
    member: Ints


class Index:
    """Unit vectors that can be searched for those similar to others.

    Args:
        vectors: (N, D) unit vectors.
    """

    def __init__(self, vectors: Vectors) -> None:
        count = len(vectors)
        self._centres: Centres | None = None
        self._order, self._ends = np.arange(count), np.array([0, count])
        if count > EXACT:
            rows = np.random.default_rng(0).choice(count, size=-(-count // CELL), replace=False)
            chosen = vectors[np.sort(rows)]
            # Equal ones once: all but the first would be empty cells, which take the place of others in a search.
            self._centres = Centres(chosen[np.sort(np.unique(chosen, axis=0, return_index=True)[1])])
            nearest = self._centres.nearest(vectors, 1)[:, 0]
            self._order = np.argsort(nearest, kind="stable")
            self._ends = np.searchsorted(nearest[self._order], np.arange(self._centres.count + 1))
        self._sorted = vectors if self._centres is None else vectors[self._order]  # cell after cell

    def near(self, queries: Vectors, *, least: float, most: int | None = None) -> Neighbours:
        """Find the indexed vectors that are similar to queries.

        Of a set of more than :data:`EXACT` vectors, one that lies in none of a query's :data:`PROBES` nearest
        cells is missed; docs/reliability.md counts the planted copies that are found.

        Args:
            queries: (N, D) unit vectors, one for each indexed vector; none is compared with its own.
            least: Least cosine similarity.
            most: Most neighbours per query, the nearest; ``None`` keeps all.

        Returns:
            The pairs, by query.
        """
        found, step = [], max(QUERIES, QUERIES * (len(self._ends) - 1) // 1024)
        for start in range(0, len(queries), step):
            block = []
            for asking, span in self._visits(queries[start : start + step], start):
                pairs = self._compared(queries, asking, span, least=least)
                block.append(pairs if most is None else _nearest(pairs, most))  # many may be alike
            found.append(_nearest(Neighbours(*map(np.concatenate, zip(*block, strict=True))), most))
        return Neighbours(*map(np.concatenate, zip(*found, strict=True)))

    def _visits(self, queries: Vectors, offset: int) -> Iterator[tuple[Ints, slice]]:
        """Say which queries are compared with which sorted vectors: rows of the ones, a span of the others."""
        if self._centres is None:
            probes = np.zeros((len(queries), 1), dtype=np.int64)
        else:
            probes = self._centres.nearest(queries, PROBES)
        order = np.argsort(probes.ravel(), kind="stable")
        cells, starts = np.unique(probes.ravel()[order], return_index=True)
        for number, asking in zip(cells, np.split(order // probes.shape[1], starts[1:]), strict=True):
            if number < 0:
                continue
            span = slice(self._ends[number], self._ends[number + 1])
            step = max(1, AT_ONCE // max(1, span.stop - span.start))
            for start in range(0, len(asking), step):
                yield asking[start : start + step] + offset, span

    def _compared(self, queries: Vectors, asking: Ints, span: slice, *, least: float) -> Neighbours:
        similar = (queries[asking] @ self._sorted[span].T).ravel()
        found = np.flatnonzero(similar >= least)
        members = self._order[span]
        query, member = asking[found // max(1, len(members))], members[found % max(1, len(members))]
        others = query != member
        return Neighbours(similar[found[others]], query[others], member[others])


def _nearest(pairs: Neighbours, most: int | None) -> Neighbours:
    """Sort pairs by query, and keep the nearest of each."""
    order = np.lexsort((pairs.member, -pairs.similarity, pairs.query))
    if most is not None:
        _, first, counts = np.unique(pairs.query[order], return_index=True, return_counts=True)
        order = order[np.arange(len(order)) - np.repeat(first, counts) < most]
    return Neighbours(pairs.similarity[order], pairs.query[order], pairs.member[order])
