"""What every registered method must do; a new method inherits these tests."""

from __future__ import annotations

import pytest
import timm
import torch

from cass.methods import METHODS, OBJECTIVES, Method
from cass.methods.base import build_method
from cass.models.backbones import BackboneSpec, build_branch
from cass.models.checkpoints import branch_state
from cass.transforms.recipes import RECIPES

NETWORKS = {"cnn": "test_resnet", "transformer": "test_vit"}


KINDS = {**METHODS, **OBJECTIVES}
ROWS = torch.arange(8)


def build(name: str) -> Method:
    torch.manual_seed(0)
    branches = {
        branch: build_branch(BackboneSpec(name=network, image_size=32), seed=1)
        for branch, network in NETWORKS.items()
    }
    method = build_method(KINDS[name], {}, branches)
    start = torch.Generator().manual_seed(2)
    method.begin({key: torch.randn(8, part.num_features, generator=start) for key, part in branches.items()})
    return method


def views(name: str) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    count = RECIPES[KINDS[name].default_views].views
    return [torch.rand(8, 3, 32, 32, generator=generator) for _ in range(count)]


@pytest.fixture(params=sorted(KINDS))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_loss_is_a_finite_scalar_and_reaches_every_parameter(name: str) -> None:
    method = build(name)
    loss = method(views(name), ROWS).loss
    assert loss.ndim == 0
    assert torch.isfinite(loss)
    loss.backward()
    learning = [parameter for group in method.param_groups() for parameter in group["params"]]
    assert learning
    assert all(parameter.grad is not None for parameter in learning if parameter.requires_grad)


def test_same_seed_gives_the_same_loss(name: str) -> None:
    first, second = build(name), build(name)
    assert float(first(views(name), ROWS).loss) == float(second(views(name), ROWS).loss)


def test_state_dict_round_trip_keeps_the_loss(name: str) -> None:
    method, other = build(name).eval(), build(name).eval()
    with torch.no_grad():
        for parameter in method.parameters():
            parameter.add_(0.01)
    other.load_state_dict(method.state_dict())
    assert float(method(views(name), ROWS).loss) == float(other(views(name), ROWS).loss)


def test_loss_falls_on_eight_images(name: str) -> None:
    method = build(name)
    optimizer = torch.optim.Adam(method.parameters(), lr=1e-3)
    losses = []
    for step in range(15):
        loss = method(views(name), ROWS).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        method.after_step(step / 15)
        losses.append(float(loss))
    assert losses[-1] < 0.7 * losses[0]


def test_exported_keys_load_into_bare_timm(name: str) -> None:
    for branch, module in build(name).branches().items():
        extra = {"img_size": 32} if branch == "transformer" else {}
        network = timm.create_model(NETWORKS[branch], num_classes=0, **extra)
        network.load_state_dict(branch_state(module))
