"""A map of embeddings: where images lie that look alike to a network."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MOST_PLACES = 1000
FEWEST_PLACES = 8


def shown_rows(images: int) -> NDArray[np.int64]:
    """Choose which of N images are placed: all, or 1,000 spread evenly over their order."""
    return np.unique(np.linspace(0, images - 1, min(images, MOST_PLACES)).round().astype(np.int64))


def embedding_map(embeddings: NDArray[np.floating]) -> NDArray[np.float64]:
    """Place embeddings on a plane, so that near ones stay near.

    Args:
        embeddings: (N, D), N of 8 or more.

    Returns:
        (N, 2), the same for the same embeddings.

    Source:
        van der Maaten & Hinton, Visualizing Data using t-SNE, JMLR 2008; from the first two principal axes.
    """
    from sklearn.manifold import TSNE

    centred = (embeddings - embeddings.mean(axis=0)).astype(np.float64)
    if not centred.any():
        return np.zeros((len(centred), 2))
    perplexity = min(30.0, (len(centred) - 1) / 3)
    places: NDArray[np.float64] = TSNE(perplexity=perplexity, init="pca", random_state=0).fit_transform(centred)
    return places.round(2)
