"""The images that branches are fine-tuned on: with labels, with pseudo-labels, and without."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cass.data.store.dataset import StoredImages
from cass.types import Task

FEW_VALIDATION = 100
"""Validation images below which choices are cross-validated on all labelled images."""


@dataclass(frozen=True)
class LabelledImages:
    """What a branch is fine-tuned on: rows of one store of decoded images.

    Attributes:
        train: N training images with their labels.
        validation: M validation images with theirs.
        sample: Training images, labelled or not, whose embeddings the probe is centred and scaled by; no label
            of theirs is read.
        codes: (N + M,) group codes of the training and validation images.
        task: Multi-class or multi-label.
    """

    train: StoredImages
    validation: StoredImages
    sample: StoredImages
    codes: NDArray[np.int64]
    task: Task

    @property
    def few_validation(self) -> bool:
        """Whether choices are cross-validated on all labelled images."""
        return len(self.validation) < FEW_VALIDATION

    @property
    def labels(self) -> NDArray[np.uint8]:
        """Labels (N + M, K) of the training and validation images."""
        return np.concatenate([self.train.labels, self.validation.labels])

    @property
    def unlabelled(self) -> NDArray[np.int64]:
        """Rows of the U images of the sample whose labels are not part of the budget."""
        return np.setdiff1d(self.sample.rows, self.train.rows)


@dataclass(frozen=True)
class PseudoLabels:
    """Unlabelled images with what the other branch says of them.

    Attributes:
        images: P images; their labels (P, K) are the other branch's probabilities.
        shares: (P, K) weights.
    """

    images: StoredImages
    shares: NDArray[np.float32]
