"""Choosing the fixed images that the collapse watch looks at."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from cass.data.dataset import MakeViews
from cass.seeds import derive_seed
from cass.training.watch import WatchData
from cass.workflows.inputs import Inputs

AUGMENTED = 256
FEWEST_LABELS = 10


def watch_data(inputs: Inputs, *, make_views: MakeViews, images: int, neighbours: int, seed: int) -> WatchData:
    """Choose and prepare the images of the watch.

    Args:
        inputs: Decoded training and validation images.
        make_views: The run's augmentation.
        images: Most validation images, and most labelled training images of the probe's bank.
        neighbours: Neighbours of the probe.
        seed: Seed of the choice.

    Returns:
        Validation images, two augmentations of up to 256 of them, and a labelled bank where labels exist.
    """
    manifest = inputs.manifest
    rows = _choose(inputs.rows("val"), images, derive_seed(seed, "watch"))
    if len(rows) < 2:  # a set too small to hold any back for validation is watched on its training images
        rows = _choose(inputs.rows("train"), images, derive_seed(seed, "watch"))
    bank = _choose(inputs.rows("train", labelled=True), images, derive_seed(seed, "bank"))
    labelled = manifest.labelled[rows]
    probe = labelled.sum() >= FEWEST_LABELS and len(bank) >= FEWEST_LABELS and bool(manifest.classes)
    augmented = rows[:AUGMENTED]
    return WatchData(
        images=inputs.batch(rows),
        first=_augment(inputs, augmented, make_views, derive_seed(seed, "watch", 1)),
        second=_augment(inputs, augmented, make_views, derive_seed(seed, "watch", 2)),
        labelled=labelled,
        targets=manifest.targets[rows[labelled]] if probe else None,
        bank=inputs.batch(bank) if probe else None,
        bank_targets=manifest.targets[bank] if probe else None,
        task=manifest.task,
        neighbours=neighbours,
    )


def _choose(rows: NDArray[np.int64], most: int, seed: int) -> NDArray[np.int64]:
    """Draw up to ``most`` rows, in an order that favours no class or folder."""
    order: NDArray[np.int64] = np.random.default_rng(seed).permutation(rows)
    return order[:most]


def _augment(inputs: Inputs, rows: NDArray[np.int64], make_views: MakeViews, seed: int) -> torch.Tensor:
    return torch.stack(
        [make_views(inputs.images.tensor(int(row)), derive_seed(seed, int(row)))[0] for row in rows]
    )
