"""Choosing the fixed images that the collapse watch looks at."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cass.runs.inputs import Inputs
from cass.seeds import derive_seed
from cass.training.watch import WatchData
from cass.transforms.views import MakeViews

FEWEST_LABELS = 10


def watch_data(inputs: Inputs, *, make_views: MakeViews, images: int, neighbours: int, seed: int) -> WatchData:
    """Choose and prepare the images of the watch.

    Args:
        inputs: Decoded training and validation images.
        make_views: The augmentation that embeddings should withstand.
        images: Most validation images, and most labelled training images of the probe's bank.
        neighbours: Neighbours of the probe.
        seed: Seed of the choice.

    Returns:
        Validation images and, where labels exist, a labelled bank.
    """
    manifest = inputs.manifest
    rows = _choose(inputs.rows("val"), images, derive_seed(seed, "watch"))
    if len(rows) < 2:  # a set too small to hold any back for validation is watched on its training images
        rows = _choose(inputs.rows("train"), images, derive_seed(seed, "watch"))
    bank = _choose(inputs.rows("train", labelled=True), images, derive_seed(seed, "bank"))
    labelled = manifest.labelled[rows]
    probe = labelled.sum() >= FEWEST_LABELS and len(bank) >= FEWEST_LABELS and bool(manifest.classes)
    return WatchData(
        images=inputs.images,
        rows=rows,
        make_views=make_views,
        labelled=labelled,
        targets=manifest.targets[rows[labelled]] if probe else None,
        bank=bank if probe else None,
        bank_targets=manifest.targets[bank] if probe else None,
        task=manifest.task,
        neighbours=neighbours,
        seed=seed,
        epoch_images=len(inputs.rows("train")),
    )


def _choose(rows: NDArray[np.int64], most: int, seed: int) -> NDArray[np.int64]:
    """Draw up to ``most`` rows, in an order that favours no class or folder."""
    order: NDArray[np.int64] = np.random.default_rng(seed).permutation(rows)
    return order[:most]
