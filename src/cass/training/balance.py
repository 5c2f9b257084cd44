"""Classes of unequal size: weighted, or drawn equally often."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cass.config.finetune import TuneSettings
from cass.training.losses import class_weights
from cass.types import Task


@dataclass(frozen=True)
class Balance:
    """How classes of unequal size are treated.

    Attributes:
        kind: ``weights``, ``sampling`` or ``none``: what is done, which for multi-label sets that ask for
            sampling is ``weights``.
        weights: Class weights (K,) of the probe, which is fitted to all images at once; None for ``none``.
        classes: Class of each training image (N,) where classes are drawn equally often; else None.
    """

    kind: str
    weights: Tensor | None
    classes: NDArray[np.int64] | None

    @property
    def probe_weights(self) -> NDArray[np.float64] | None:
        """Class weights (K,) of the probe as an array."""
        return None if self.weights is None else self.weights.numpy().astype(np.float64)

    @property
    def training_weights(self) -> Tensor | None:
        """Class weights (K,) of the training loss; None where the draw makes up for them."""
        return self.weights if self.kind == "weights" else None


def choose_balance(settings: TuneSettings, targets: NDArray[np.uint8], *, task: Task) -> Balance:
    """Choose how classes are balanced.

    Args:
        settings: Settings of fine-tuning.
        targets: Labels (N, K) of the training images.
        task: Multi-class or multi-label. Labels that occur together cannot be drawn equally often, so
            multi-label sets get weights where sampling is asked for.

    Returns:
        What to do.
    """
    if settings.balance == "none":
        return Balance("none", None, None)
    weights = class_weights(torch.from_numpy(targets), task=task)
    if settings.balance == "sampling" and task == "multiclass":
        return Balance("sampling", weights, targets.argmax(axis=1))
    return Balance("weights", weights, None)
