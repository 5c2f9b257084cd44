"""Groups of images, such as those of one patient, as numbers. Layer 0."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def group_codes(groups: NDArray[np.str_] | None, *, count: int) -> NDArray[np.int64]:
    """Number the groups; an image without a group is a group of its own.

    Args:
        groups: (N,) group names, ``""`` where an image has none, or None.
        count: N.

    Returns:
        (N,) codes in [0, number of groups); equal codes belong together.
    """
    if groups is None:
        return np.arange(count, dtype=np.int64)
    names = np.asarray(groups, dtype=np.str_)
    alone = names == ""
    unique, inverse = np.unique(names[~alone], return_inverse=True)
    codes = np.empty(count, dtype=np.int64)
    codes[~alone] = inverse
    codes[alone] = len(unique) + np.arange(int(alone.sum()))
    return codes


def join_copies(codes: NDArray[np.int64], digests: Sequence[str]) -> NDArray[np.int64]:
    """Merge groups that contain identical files, so that copies of an image stay in one split.

    Args:
        codes: (N,) group codes.
        digests: N content digests.

    Returns:
        (N,) codes in [0, number of joined groups).
    """
    parent = {int(code): int(code) for code in codes}

    def root(code: int) -> int:
        while parent[code] != code:
            parent[code] = parent[parent[code]]
            code = parent[code]
        return code

    first: dict[str, int] = {}
    for code, digest in zip(codes.tolist(), digests, strict=True):
        a, b = root(first.setdefault(digest, code)), root(code)
        parent[max(a, b)] = min(a, b)
    roots = np.array([root(code) for code in codes.tolist()], dtype=np.int64)
    return np.unique(roots, return_inverse=True)[1].astype(np.int64)
