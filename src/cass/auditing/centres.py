"""The cells of a large index: which centres are nearest to a vector, without comparing it with all of them.

The centres are grouped around some of themselves. A vector is compared with the middle of every group, and with
the centres in the nearest groups, so the work for a vector hardly grows with the number of centres (a vocabulary
tree of two levels: Nistér and Stewénius, CVPR 2006).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

GROUP = 64
"""Centres per group, on average."""
LARGEST_GROUP = 128
"""Most centres per group: larger ones are divided, so that images that are much alike do not slow the search."""
GROUPS_SEARCHED = 24
"""Groups that a vector is compared with."""
AT_ONCE = 1_048_576
"""Most similarities held at once, four bytes each."""

Vectors = NDArray[np.float32]
Ints = NDArray[np.int64]


class Centres:
    """Unit vectors in groups.

    Args:
        vectors: (K, D) unit vectors, all different.
    """

    def __init__(self, vectors: Vectors) -> None:
        number = max(1, len(vectors) // GROUP)
        if number <= GROUPS_SEARCHED:  # all of them would be searched
            number = 1
        middles = vectors[np.linspace(0, len(vectors), number, endpoint=False).astype(np.int64)]
        nearest = np.argmax(vectors @ middles.T, axis=1)
        largest = len(vectors) if number == 1 else LARGEST_GROUP
        wholes = [np.flatnonzero(nearest == group) for group in range(number)]
        pieces = [np.split(rows, range(largest, len(rows), largest)) for rows in wholes]
        groups = [rows for parts in pieces for rows in parts]
        self._middles = middles.repeat([len(parts) for parts in pieces], axis=0)
        self._members = [vectors[rows] for rows in groups]
        self._width = max(map(len, groups))
        self._numbers = np.stack(
            [np.pad(rows, (0, self._width - len(rows)), constant_values=-1) for rows in groups]
        )
        self.count = len(vectors)

    def nearest(self, queries: Vectors, most: int) -> Ints:
        """Find the centres that are most similar to each query, in any order.

        Args:
            queries: (N, D) unit vectors.
            most: How many to find.

        Returns:
            (N, most) numbers of centres, -1 where the groups that were searched hold too few; fewer columns if
            no query can have as many.
        """
        searched = min(GROUPS_SEARCHED, len(self._members))
        most = min(most, self.count, searched * self._width)
        step = max(1, AT_ONCE // (searched * self._width))
        parts = [self._nearest(queries[i : i + step], most, searched) for i in range(0, len(queries), step)]
        return np.concatenate(parts)

    def _nearest(self, queries: Vectors, most: int, searched: int) -> Ints:
        groups = _highest(queries @ self._middles.T, searched)
        similar = np.full((len(queries), searched, self._width), -np.inf, dtype=np.float32)
        order = np.argsort(groups.ravel(), kind="stable")
        asked, starts = np.unique(groups.ravel()[order], return_index=True)
        for group, places in zip(asked, np.split(order, starts[1:]), strict=True):
            asking, column = np.divmod(places, searched)
            members = self._members[group]
            similar[asking, column, : len(members)] = queries[asking] @ members.T
        column, place = np.divmod(_highest(similar.reshape(len(queries), -1), most), self._width)
        numbers: Ints = self._numbers[np.take_along_axis(groups, column, axis=1), place]
        return numbers


def _highest(values: Vectors, most: int) -> Ints:
    """Return the columns of the highest values of each row, in any order."""
    from torch import from_numpy, topk  # for thousands of columns four times as fast as numpy's argpartition

    columns: Ints = topk(from_numpy(values), most, sorted=False).indices.numpy()
    return columns
