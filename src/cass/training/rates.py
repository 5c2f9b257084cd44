"""Learning rates: how many layers are trained, and a schedule with warm-up and cosine decay."""

from __future__ import annotations

import math

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from cass.models.backbones import Branch
from cass.models.layers import layer_numbers


def freeze_last_layers(branch: Branch, *, tuned_share: float) -> None:
    """Freeze the last layers of a backbone; the head is always trained.

    Args:
        branch: The branch; what is not trained no longer requires gradients.
        tuned_share: Share of the layers, from the input on, that is trained, in (0, 1]; at least one is.

    Source:
        Khan & Fang, Revisiting Fine-Tuning Strategies for Self-supervised Medical Imaging Analysis,
        arXiv 2307.10915, find the first three quarters best. They cut the last quarter off; here it stays,
        as pretrained, so that the embedding keeps its width.
    """
    numbers, count = layer_numbers(branch.backbone)
    trained = max(1, math.ceil(tuned_share * count - 1e-9))
    for name, parameter in branch.backbone.named_parameters():
        parameter.requires_grad_(numbers.get(name, count - 1) < trained)


def warm_cosine_schedule(optimizer: Optimizer, *, steps: int, warmup: float) -> LambdaLR:
    """Raise every group's rate linearly to its peak, then decay it along a cosine to zero.

    Args:
        optimizer: The optimiser.
        steps: Steps of the whole run, at least 1.
        warmup: Share of the steps that the rise takes, in [0, 1).

    Returns:
        A schedule to advance once per step.
    """
    rise = round(warmup * steps)

    def factor(step: int) -> float:
        if step < rise:
            return (step + 1) / (rise + 1)
        done = min((step - rise) / max(steps - rise, 1), 1.0)
        return (1 + math.cos(math.pi * done)) / 2

    return LambdaLR(optimizer, factor)
