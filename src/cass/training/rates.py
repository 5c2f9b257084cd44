"""Learning rates of fine-tuning: lower for lower layers, warmed up, then falling."""

from __future__ import annotations

import math
from typing import Any

from timm.models import group_parameters
from timm.optim import auto_group_layers
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from cass.models.backbones import Branch
from cass.types import ParamGroup

DEPTH = 12
"""Most steps of the layer-wise decay: a ViT-S or ViT-B has as many blocks."""


def layer_numbers(backbone: Any) -> tuple[dict[str, int], int]:
    """Number the layers of a timm network from its input on.

    Args:
        backbone: The network, without classifier.

    Returns:
        The number of each parameter's layer by the parameter's name, and the number of layers. A layer is
        what timm groups: a block, or the stem.
    """
    if hasattr(backbone, "group_matcher"):
        numbers = group_parameters(backbone, backbone.group_matcher(coarse=False), reverse=True)
    else:
        numbers = auto_group_layers(backbone)
    return numbers, max(numbers.values(), default=0) + 1


def freeze_last_layers(branch: Branch, *, tuned_share: float) -> None:
    """Leave the last layers of a backbone as they are; the head always trains.

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


def layer_groups(branch: Branch, *, layer_decay: float) -> list[ParamGroup]:
    """Group what is trained by its learning rate; the head comes first, with the full rate.

    Args:
        branch: The branch, with a head.
        layer_decay: Factor on the learning rate from one layer to the one before it, in (0, 1]. Networks of
            more than 12 layers spread 12 such steps over their depth, so that the factor means the same for
            all of them.

    Returns:
        Groups; biases, norms, and what timm exempts (position embeddings, tokens) have no weight decay.

    Source:
        Bao et al., BEiT, ICLR 2022, section 3.1; timm's ``param_groups_layer_decay``.
    """
    numbers, count = layer_numbers(branch.backbone)
    step = min(1.0, DEPTH / count)
    backbone: Any = branch.backbone
    exempt = set(backbone.no_weight_decay()) if hasattr(backbone, "no_weight_decay") else set()
    groups: dict[tuple[int, bool], ParamGroup] = {}
    named = [(name, parameter, count) for name, parameter in branch.named_parameters() if name.startswith("head.")]
    named += [
        (name, parameter, numbers.get(name, count - 1)) for name, parameter in branch.backbone.named_parameters()
    ]
    for name, parameter, number in named:
        if not parameter.requires_grad:
            continue
        decays = parameter.ndim > 1 and name not in exempt
        group = groups.setdefault(
            (number, decays),
            {
                "params": [],
                "lr_scale": layer_decay ** (step * (count - number)),
                "weight_decay_scale": float(decays),
            },
        )
        group["params"].append(parameter)
    return list(groups.values())


def warm_cosine_schedule(optimizer: Optimizer, *, steps: int, warmup: float) -> LambdaLR:
    """Let every group's rate rise evenly to its peak, then fall along a cosine to zero.

    Args:
        optimizer: The optimiser.
        steps: Steps of the whole run, at least 1.
        warmup: Share of the steps that the rise takes, in [0, 1).

    Returns:
        A schedule to be advanced once a step.
    """
    rise = round(warmup * steps)

    def factor(step: int) -> float:
        if step < rise:
            return (step + 1) / (rise + 1)
        done = min((step - rise) / max(steps - rise, 1), 1.0)
        return (1 + math.cos(math.pi * done)) / 2

    return LambdaLR(optimizer, factor)
