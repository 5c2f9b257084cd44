"""The layers of a timm network from its input on, and their share of the learning rate."""

from __future__ import annotations

from typing import Any

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
    from timm.models import group_parameters
    from timm.optim import auto_group_layers

    if hasattr(backbone, "group_matcher"):
        numbers = group_parameters(backbone, backbone.group_matcher(coarse=False), reverse=True)
    else:
        numbers = auto_group_layers(backbone)
    return numbers, max(numbers.values(), default=0) + 1


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
