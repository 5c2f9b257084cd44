"""Optimisers and schedules."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR

from cass.types import ParamGroup


def build_optimizer(name: str, groups: Sequence[ParamGroup], *, lr: float, weight_decay: float) -> Optimizer:
    """Build an optimiser over groups of parameters.

    Args:
        name: ``adam`` or ``adamw``.
        groups: Parameters with their factors on rate and decay.
        lr: Peak learning rate.
        weight_decay: Weight decay.

    Returns:
        The optimiser.
    """
    settings = [
        {
            "params": [parameter for parameter in group["params"] if parameter.requires_grad],
            "lr": lr * group["lr_scale"],
            "weight_decay": weight_decay * group["weight_decay_scale"],
        }
        for group in groups
    ]
    kind = torch.optim.AdamW if name == "adamw" else torch.optim.Adam
    devices = {parameter.device.type for group in groups for parameter in group["params"]}
    fused = devices <= {"cpu", "cuda"}
    return kind(settings, lr=lr, weight_decay=weight_decay, fused=fused)


def cosine_schedule(optimizer: Optimizer, *, half_period: int) -> CosineAnnealingLR:
    """Decay the learning rate along a cosine from its peak to zero in ``half_period`` steps.

    Args:
        optimizer: The optimiser.
        half_period: Steps from the peak to zero, at least 1; after them the rate rises again.

    Returns:
        A schedule to advance once per step.
    """
    return CosineAnnealingLR(optimizer, T_max=half_period)
