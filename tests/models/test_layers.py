from __future__ import annotations

import pytest
from torch import nn

from cass.models.backbones import BackboneSpec, Branch, build_branch
from cass.models.layers import layer_groups, layer_numbers


def branch(network: str) -> Branch:
    built = build_branch(BackboneSpec(network, image_size=32), seed=0)
    built.head = nn.Linear(built.num_features, 2)
    return built


@pytest.mark.parametrize("network", ["test_resnet", "test_vit"])
def test_layers_are_numbered_from_the_input_on(network: str) -> None:
    backbone = branch(network).backbone
    numbers, count = layer_numbers(backbone)
    assert set(numbers) == {name for name, _ in backbone.named_parameters()}
    assert sorted(set(numbers.values())) == list(range(count))
    first = "conv1" if network == "test_resnet" else "patch_embed"
    assert {number for name, number in numbers.items() if name.startswith(first)} == {0}


@pytest.mark.parametrize("network", ["test_resnet", "test_vit"])
def test_rates_fall_towards_the_input_and_biases_have_no_decay(network: str) -> None:
    whole = branch(network)
    groups = layer_groups(whole, layer_decay=0.5)
    grouped = [parameter for group in groups for parameter in group["params"]]
    assert {id(parameter) for parameter in grouped} == {id(parameter) for parameter in whole.parameters()}
    assert len(grouped) == len(list(whole.parameters()))
    scale = {id(parameter): group for group in groups for parameter in group["params"]}
    head, first = scale[id(whole.head.weight)], scale[id(next(whole.backbone.parameters()))]
    assert head["lr_scale"] == 1.0
    assert first["lr_scale"] < 0.5
    assert scale[id(whole.head.bias)]["weight_decay_scale"] == 0.0
    assert head["weight_decay_scale"] == 1.0


def test_one_rate_for_all_and_nothing_for_what_is_frozen() -> None:
    whole = branch("test_vit")
    whole.backbone.requires_grad_(False)
    groups = layer_groups(whole, layer_decay=1.0)
    assert {id(parameter) for group in groups for parameter in group["params"]} == {
        id(whole.head.weight),
        id(whole.head.bias),
    }
    assert {group["lr_scale"] for group in groups} == {1.0}
