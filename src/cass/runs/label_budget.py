"""The label budget of a fine-tuning: which labels it may read, of training and of validation images."""

from __future__ import annotations

import logging
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cass.config.finetune import FinetuneConfig
from cass.config.pretrain import PretrainConfig
from cass.data.splits.fractions import label_subset
from cass.data.splits.resolve import require_training_images
from cass.data.store.dataset import StoredImages
from cass.errors import DataError
from cass.groups import group_codes
from cass.runs.inputs import Inputs, Plan, decode
from cass.seeds import derive_seed
from cass.training.labelled import LabelledImages

log = logging.getLogger("cass")

SAMPLE = 2000
"""Most training images, labelled or not, whose embeddings the linear probe is centred and scaled by."""


class LabelBudget(NamedTuple):
    """Rows of the decoded images.

    Attributes:
        train: Training images whose labels are used.
        validation: Validation images whose labels are used.
        sample: Training images, whose labels are not read.
    """

    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    sample: NDArray[np.int64]


def labelled_images(config: FinetuneConfig, pretraining: PretrainConfig, plan: Plan) -> tuple[Inputs, LabelBudget]:
    """Choose the labels of the budget, and decode their images and a sample of all training images.

    Args:
        config: Settings of fine-tuning: the fraction counts for training and validation labels alike.
        pretraining: Settings of the pretraining run.
        plan: The data set with its splits.

    Returns:
        The decoded images, and which of them are what.

    Raises:
        DataError: No validation image is labelled, or a class has no readable training image.
    """
    manifest = plan.manifest
    require_training_images(manifest, plan.splits)
    there = {name: np.flatnonzero((plan.splits == name) & manifest.labelled) for name in ("train", "val")}
    if not len(there["val"]):
        raise DataError(
            f"{config.labels} has no labelled validation image", "Label some images of the split 'val'."
        )
    chosen = {
        name: label_subset(
            manifest.targets,
            candidates=candidates,
            fraction=config.label_fraction,
            groups=manifest.groups,
            seed=config.seed,
        )
        for name, candidates in there.items()
    }
    training = np.flatnonzero(plan.splits == "train")
    draw = np.random.default_rng(derive_seed(config.seed, "sample"))
    chosen["sample"] = training if len(training) <= SAMPLE else draw.choice(training, SAMPLE, replace=False)
    rows = np.unique(np.concatenate(list(chosen.values())))
    inputs = decode(
        plan,
        rows,
        image_size=pretraining.image_size,
        in_chans=pretraining.in_chans,
        purpose="fine-tuning",
        cache=config.cache,
    )
    readable = ~np.isin(np.arange(len(rows)), list(inputs.images.unreadable))
    labelled = LabelBudget(*(np.flatnonzero(np.isin(rows, part) & readable) for part in chosen.values()))
    missing = [name for name, count in labels_per_class(inputs, labelled.train).items() if not count]
    if missing:
        raise DataError(
            f"Class {missing[0]!r} has no readable training image at label fraction {config.label_fraction:g}",
            "Fix its images, label more, or use a larger fraction.",
        )
    if not len(labelled.validation):
        raise DataError(f"{config.labels} has no readable labelled validation image", "Fix its images.")
    _announce_budget(config, inputs, labelled, there={name: len(rows) for name, rows in there.items()})
    return inputs, labelled


def labelled_data(inputs: Inputs, labelled: LabelBudget) -> LabelledImages:
    """Return the images as training takes them; the labels of others than the budget's are not passed on."""
    manifest, images = inputs.manifest, inputs.images
    both = np.concatenate([labelled.train, labelled.validation])
    targets = np.zeros_like(manifest.targets)
    targets[both] = manifest.targets[both]
    return LabelledImages(
        train=StoredImages(images, labelled.train, targets=targets),
        validation=StoredImages(images, labelled.validation, targets=targets),
        sample=StoredImages(images, labelled.sample),
        codes=group_codes(manifest.groups, count=len(manifest))[both],
        task=manifest.task,
    )


def labels_per_class(inputs: Inputs, rows: NDArray[np.int64]) -> dict[str, int]:
    """Count the images of each class among some rows."""
    counts = inputs.manifest.targets[rows].sum(axis=0)
    return {name: int(count) for name, count in zip(inputs.manifest.classes, counts, strict=True)}


def _announce_budget(
    config: FinetuneConfig, inputs: Inputs, labelled: LabelBudget, *, there: dict[str, int]
) -> None:
    """Log how many labels are used, of how many."""
    log.info(
        "Fine-tuning on %d of %d labelled training images (%g%%): %s; %d of %d labelled validation images.",
        len(labelled.train),
        there["train"],
        100 * config.label_fraction,
        ", ".join(f"{name} {count}" for name, count in labels_per_class(inputs, labelled.train).items()),
        len(labelled.validation),
        there["val"],
    )
