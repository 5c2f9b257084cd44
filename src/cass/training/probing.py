"""A linear probe as the head of a branch, and the temperature that is folded into a head."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cass.evaluation.probe import Probe, fit_probe
from cass.types import Task


def probe_head(
    train: NDArray[np.float32],
    train_targets: NDArray[np.uint8],
    validation: NDArray[np.float32],
    validation_targets: NDArray[np.uint8],
    *,
    task: Task,
    weights: Tensor | None,
) -> tuple[nn.Linear, Probe]:
    """Fit a linear probe and make a head of it.

    Args:
        train: Training embeddings (N, D).
        train_targets: (N, K) of 0 and 1.
        validation: Validation embeddings (M, D).
        validation_targets: (M, K).
        task: Multi-class or multi-label.
        weights: Class weights (K,), or None.

    Returns:
        The head, D to K, and the probe.
    """
    probe = fit_probe(
        train,
        train_targets,
        validation=validation,
        validation_targets=validation_targets,
        task=task,
        weights=None if weights is None else weights.numpy().astype(np.float64),
    )
    head = nn.Linear(train.shape[1], train_targets.shape[1])
    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(probe.weight))
        head.bias.copy_(torch.from_numpy(probe.bias))
    return head, probe


def fold_temperature(head: nn.Linear, temperature: float) -> None:
    """Divide the logits of a head by a temperature, for good: its weights and biases are divided."""
    with torch.no_grad():
        head.weight.div_(temperature)
        head.bias.div_(temperature)
