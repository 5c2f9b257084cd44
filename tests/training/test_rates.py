from __future__ import annotations

import math
from itertools import pairwise

import pytest
import timm
import torch
from torch import nn

from cass.models.backbones import BackboneSpec, Branch, build_branch
from cass.models.layers import layer_groups, layer_numbers
from cass.training.optim import build_optimizer
from cass.training.rates import freeze_last_layers, warm_cosine_schedule

NETWORKS = ["test_resnet", "test_vit", "test_efficientnet", "test_convnext"]


def branch_of(name: str, **args: object) -> Branch:
    branch = build_branch(BackboneSpec(name, image_size=32, args=dict(args)), seed=0)
    branch.head = nn.Linear(branch.num_features, 3)
    return branch


def rates(branch: Branch, *, layer_decay: float) -> dict[str, float]:
    scale = {
        id(p): group["lr_scale"]
        for group in layer_groups(branch, layer_decay=layer_decay)
        for p in group["params"]
    }
    return {name: scale[id(parameter)] for name, parameter in branch.named_parameters() if id(parameter) in scale}


@pytest.mark.parametrize("network", NETWORKS)
def test_rates_fall_towards_the_input_and_the_head_has_the_full_one(network: str) -> None:
    branch = branch_of(network)
    found = rates(branch, layer_decay=0.5)
    assert set(found) == {name for name, _ in branch.named_parameters()}
    assert found["head.weight"] == found["head.bias"] == 1
    numbers, count = layer_numbers(branch.backbone)
    assert all(
        found[f"backbone.{name}"] == pytest.approx(0.5 ** (count - number)) for name, number in numbers.items()
    )
    first = next(
        name
        for name, _ in branch.backbone.named_parameters()
        if "conv" in name or "stem" in name or "patch" in name
    )
    assert numbers[first] == 0


def test_deep_networks_spread_twelve_steps() -> None:
    found = rates(branch_of("vit_tiny_patch16_224", depth=30, embed_dim=16, num_heads=2), layer_decay=0.5)
    assert min(found.values()) == pytest.approx(0.5**12)


def test_rates_agree_with_timm() -> None:
    branch = branch_of("test_vit")
    timm_groups = timm.optim.param_groups_layer_decay(branch.backbone, layer_decay=0.7)
    scale = {id(p): group["lr_scale"] for group in timm_groups for p in group["params"]}
    found = rates(branch, layer_decay=0.7)
    for name, parameter in branch.backbone.named_parameters():
        # timm sees a network without a head, so that its last layer has the full rate.
        assert found[f"backbone.{name}"] == pytest.approx(0.7 * scale[id(parameter)])


@pytest.mark.parametrize("network", NETWORKS)
def test_biases_norms_and_positions_have_no_weight_decay(network: str) -> None:
    branch = branch_of(network)
    names = {id(parameter): name for name, parameter in branch.named_parameters()}
    for group in layer_groups(branch, layer_decay=0.75):
        for parameter in group["params"]:
            spared = parameter.ndim < 2 or any(word in names[id(parameter)] for word in ("pos_embed", "cls_token"))
            assert group["weight_decay_scale"] == (0.0 if spared else 1.0)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("share", [0.01, 0.5, 0.75, 1.0])
def test_the_last_layers_can_be_left_alone(network: str, share: float) -> None:
    branch = branch_of(network)
    freeze_last_layers(branch, tuned_share=share)
    numbers, count = layer_numbers(branch.backbone)
    trained = {numbers[name] for name, p in branch.backbone.named_parameters() if p.requires_grad}
    frozen = {numbers[name] for name, p in branch.backbone.named_parameters() if not p.requires_grad}
    assert trained == set(range(max(1, math.ceil(share * count))))
    assert not trained & frozen
    assert branch.head.weight.requires_grad
    optimizer = build_optimizer("adamw", layer_groups(branch, layer_decay=0.75), lr=0.1, weight_decay=0.0)
    mine = {id(p) for group in optimizer.param_groups for p in group["params"]}
    assert mine == {id(p) for p in branch.parameters() if p.requires_grad}


@pytest.mark.parametrize(("steps", "warmup"), [(100, 0.1), (20, 0.0), (1, 0.5), (10, 0.6)])
def test_the_rate_rises_then_falls_to_zero(steps: int, warmup: float) -> None:
    parts = [nn.Parameter(torch.zeros(1)) for _ in range(2)]
    optimizer = torch.optim.SGD([{"params": [parts[0]], "lr": 1.0}, {"params": [parts[1]], "lr": 0.5}])
    schedule = warm_cosine_schedule(optimizer, steps=steps, warmup=warmup)
    seen = []
    for _ in range(steps):
        low, high = (group["lr"] for group in reversed(optimizer.param_groups))
        assert high == pytest.approx(2 * low)
        seen.append(high)
        optimizer.step()
        schedule.step()
    rise = round(warmup * steps)
    assert all(a < b for a, b in pairwise(seen[: rise + 1]))
    assert all(a > b for a, b in pairwise(seen[rise:]))
    assert 0 < seen[0] <= 1
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0, abs=1e-9)
