"""Which errors to look at first."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MOST_ERRORS = 12


def worst_errors(
    probabilities: NDArray[np.floating], targets: NDArray[np.uint8], predicted: NDArray[np.uint8]
) -> list[int]:
    """Return the rows of the wrong predictions that were most certain, at most twelve.

    Args:
        probabilities: (N, K).
        targets: (N, K) of 0 and 1.
        predicted: (N, K) of 0 and 1.
    """
    rows = np.flatnonzero((predicted != targets).any(axis=1))
    error = np.abs(probabilities - targets).max(axis=1)
    return [int(row) for row in rows[np.argsort(-error[rows], kind="stable")][:MOST_ERRORS]]
