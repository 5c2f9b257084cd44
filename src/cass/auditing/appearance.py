"""Which pairs of images may show the same: a fast search over small pictures, whole and slightly cropped.

The search compares what is particular to an image. The mean image of the set is taken away and the remaining
variation is whitened, so that a shape that all images share (a disc, a head, a fan) does not count as resemblance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cass.auditing.neighbours import Index

SIDE = 16
"""Width and height of the pictures that are compared."""
AXES = 128
"""Most whitened dimensions."""
COSINE = 0.75
"""Least cosine similarity of a candidate pair."""
NEAREST = 16
"""Most candidates per crop of an image."""
SHRINKAGE = 16
"""Images that count against the mean image: of a set of few, less of it is taken away."""
BLOCK = 4096
"""Thumbnails that are cut and averaged at once."""

Singles = NDArray[np.float32]
Ints = NDArray[np.int64]


class Box(NamedTuple):
    """A rectangle within an image; coordinates are fractions of its width and height, in [0, 1]."""

    left: float
    top: float
    right: float
    bottom: float


WHOLE = Box(0, 0, 1, 1)
CROPS: tuple[Box, ...] = (
    WHOLE,
    *(
        Box(lost * x, lost * y, 1 - lost + lost * x, 1 - lost + lost * y)
        for lost, x, y in product((0.04, 0.08), (0, 0.5, 1), (0, 0.5, 1))
    ),
)
"""The parts of an image that are compared with whole images; a copy may lose up to a tenth of each side."""


class Candidates(NamedTuple):
    """Pairs of images that may show the same, the most similar first.

    Attributes:
        original: (P,) rows of the images of which a part is compared.
        copy: (P,) rows of the images that are compared as a whole.
        crop: (P,) numbers of the parts in :data:`CROPS`.
    """

    original: Ints
    copy: Ints
    crop: Ints


def candidate_pairs(
    thumbnails: NDArray[np.uint8], *, on_progress: Callable[[int], None] = lambda done: None
) -> Candidates:
    """Find pairs of images that may show the same.

    Args:
        thumbnails: (N, T, T) grey pictures, T at least 16.
        on_progress: Called with the number of images done so far, from 0 to N.

    Returns:
        Each pair once, with the crop for which its cosine similarity is highest.
    """
    count = len(thumbnails)
    if count < 2:
        return Candidates(*np.empty((3, 0), dtype=np.int64))
    centre, axes = _whitening(thumbnails)
    index = Index(_directions(thumbnails, WHOLE, centre, axes))
    found = []
    for number, box in enumerate(CROPS):
        found.append(index.near(_directions(thumbnails, box, centre, axes), least=COSINE, most=NEAREST))
        on_progress(count * (number + 1) // len(CROPS))
    crop = np.repeat(np.arange(len(CROPS)), [len(part.query) for part in found])
    similarity, original, copy = (np.concatenate(column) for column in zip(*found, strict=True))
    order = np.argsort(-similarity, kind="stable")
    original, copy, crop = original[order], copy[order], crop[order]
    keys = np.minimum(original, copy) * count + np.maximum(original, copy)
    first = np.sort(np.unique(keys, return_index=True)[1])
    return Candidates(original[first], copy[first], crop[first])


def _reduced(thumbnails: NDArray[np.uint8], box: Box) -> Singles:
    """Cut a part out of every thumbnail: (N, SIDE²) of zero mean and about unit spread."""
    side = thumbnails.shape[1]
    down = _weights(box.top * side, box.bottom * side, side)
    across = _weights(box.left * side, box.right * side, side)
    small = np.einsum("yh,nhw,xw->nyx", down, thumbnails.astype(np.float32), across, optimize=True)
    flat: Singles = small.reshape(len(thumbnails), -1)
    flat -= flat.mean(axis=1, keepdims=True)
    flat /= flat.std(axis=1, keepdims=True) + 4  # of 255 grey levels: noise on a plain image stays small
    return flat


def _weights(low: float, high: float, side: int) -> Singles:
    """Return (SIDE, side) weights that average the pixels between two edges in SIDE equal parts."""
    edges = np.linspace(low, high, SIDE + 1)
    pixels = np.arange(side)
    overlap = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    weights: Singles = (overlap.clip(min=0) / (edges[1] - edges[0])).astype(np.float32)
    return weights


def _whitening(thumbnails: NDArray[np.uint8]) -> tuple[Singles, Singles]:
    """Return the mean picture (SIDE²,) and the map (SIDE², A) to whitened axes."""
    count = len(thumbnails)
    total = sum(pictures.sum(axis=0, dtype=np.float64) for pictures in _blocks(thumbnails, WHOLE))
    centre = (total / (count + SHRINKAGE)).astype(np.float32)
    products = np.zeros((SIDE**2, SIDE**2))
    for pictures in _blocks(thumbnails, WHOLE):
        rest = (pictures - centre).astype(np.float64)
        products += rest.T @ rest
    variances, directions = np.linalg.eigh(products / count)  # ascending
    kept = min(AXES, max(1, count // 2))
    variances, directions = variances[-kept:], directions[:, -kept:]
    spread = np.sqrt(np.maximum(variances, 1e-6 * variances[-1] + 1e-12))
    whitening: Singles = (directions / spread).astype(np.float32)
    return centre, whitening


def _directions(thumbnails: NDArray[np.uint8], box: Box, centre: Singles, axes: Singles) -> Singles:
    """Return (N, A) unit vectors of a part of every thumbnail."""
    found = np.empty((len(thumbnails), axes.shape[1]), dtype=np.float32)
    for number, pictures in enumerate(_blocks(thumbnails, box)):
        whitened = (pictures - centre) @ axes
        lengths = np.linalg.norm(whitened, axis=1, keepdims=True)
        found[number * BLOCK : number * BLOCK + len(whitened)] = whitened / np.maximum(lengths, 1e-12)
    return found


def _blocks(thumbnails: NDArray[np.uint8], box: Box) -> Iterator[Singles]:
    for start in range(0, len(thumbnails), BLOCK):
        yield _reduced(thumbnails[start : start + BLOCK], box)
