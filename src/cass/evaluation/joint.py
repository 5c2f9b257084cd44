"""The embeddings of both branches as one."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray


def joint_embeddings(embeddings: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32]:
    """Join the embeddings of the branches, centred and scaled so that each branch counts alike.

    Args:
        embeddings: (N, D) of each branch; D may differ.

    Returns:
        (N, sum of D): those of each branch have a mean squared norm of 1.
    """
    parts = []
    for embedding in embeddings.values():
        centred = embedding - embedding.mean(axis=0)
        parts.append(centred / max(float(np.sqrt((centred**2).sum(axis=1).mean())), 1e-12))
    return np.concatenate(parts, axis=1)
