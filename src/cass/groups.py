"""Groups of images, such as those of one patient, as numbers. Layer 0."""

from __future__ import annotations

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
