"""What every registered method must do; a new method inherits these tests."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import timm
import torch

from cass.config.base import build_config
from cass.config.pretrain import PretrainConfig
from cass.methods import METHODS, Method
from cass.methods.base import branch_names, build_method
from cass.models.backbones import BackboneSpec, Branch, build_branch
from cass.models.checkpoints import branch_state
from cass.training.protection import parameter_groups
from cass.transforms.recipes import RECIPES
from cass.transforms.views import view_side
from cass.types import ParamGroup

NETWORKS = {"cnn": "test_resnet", "transformer": "test_vit"}
SPECS = {
    "cnn": BackboneSpec(NETWORKS["cnn"], image_size=32),
    "transformer": BackboneSpec(NETWORKS["transformer"], image_size=32, args={"dynamic_img_size": True}),
}
# The cross-entropy to a teacher that moves, or to even shares, has a floor far above 0; pixels are hard to draw.
LAST_OVER_FIRST = {"dino": 0.98, "swav": 0.8, "mae": 0.8}
# Heads of their usual width would take most of the time.
SMALLER = {
    "dino": {"width": 512},
    "byol": {"hidden": 128},
    "mocov3": {"hidden": 128},
    "simsiam": {"width": 128},
    "swav": {"prototypes": 64, "queue": 16},
    "vicreg": {"width": 128},
    "barlow_twins": {"width": 128},
    "mae": {"width": 64, "depth": 1},
}


KINDS = {objective or name: kind for (name, objective), kind in METHODS.variants().items()}
POSITIONS = torch.arange(8)


def build(name: str) -> Method:
    torch.manual_seed(0)
    names = branch_names(KINDS[name], name, KINDS[name].takes[-1])
    branches = {branch: build_branch(SPECS[branch], seed=1) for branch in names}
    method = build_method(KINDS[name], SMALLER.get(name, {}), branches)
    start = torch.Generator().manual_seed(2)
    embeddings = {key: torch.randn(8, part.num_features, generator=start) for key, part in branches.items()}
    method.begin(embeddings, lambda: torch.randn(8, 20, generator=start))
    return method


def views(name: str) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    kinds = RECIPES[KINDS[name].default_views].kinds
    sides = [view_side(kind, 32, tile=16) for kind in kinds for _ in range(kind.count)]
    return [torch.rand(8, 3, side, side, generator=generator) for side in sides]


def compute(method: Method, name: str, *, seed: int = 0) -> torch.Tensor:
    """Compute the loss; masks and the like are drawn from the seed."""
    torch.manual_seed(seed)
    return method(views(name), POSITIONS).loss


@pytest.fixture(params=sorted(KINDS))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_loss_is_a_finite_scalar_and_reaches_every_parameter(name: str) -> None:
    method = build(name)
    loss = compute(method, name)
    assert loss.ndim == 0
    assert torch.isfinite(loss)
    loss.backward()
    learning = [parameter for group in groups_of(method) for parameter in group["params"]]
    assert learning
    assert all(parameter.grad is not None for parameter in learning)


def groups_of(method: Method, **settings: float) -> list[ParamGroup]:
    return parameter_groups(method, build_config(PretrainConfig, {"data": "x", "out": "y", **settings}))


def test_groups_hold_what_is_trained_once(name: str) -> None:
    method = build(name)
    learning = [id(parameter) for group in groups_of(method) for parameter in group["params"]]
    assert len(learning) == len(set(learning))
    assert set(learning) == {id(parameter) for parameter in method.parameters() if parameter.requires_grad}


def test_pretrained_weights_are_protected_alike(name: str) -> None:
    method = build(name)
    for branch in method.modules():
        if isinstance(branch, Branch):
            branch.spec = replace(branch.spec, weights="file")
    rates = [group["lr_scale"] for group in groups_of(method, layer_decay=0.5, cnn_rate=2.0)]
    assert min(rates) < 0.1
    assert max(rates) == (2.0 if "cnn" in method.trained() else 1.0)
    method.keeps_statistics = True
    method.train()
    norms = [
        part
        for branch in method.modules()
        if isinstance(branch, Branch)
        for part in branch.modules()
        if isinstance(part, torch.nn.BatchNorm2d)
    ]
    assert bool(norms) == ("cnn" in method.trained())
    assert not any(part.training for part in norms)  # those of teachers neither


def test_same_seed_gives_the_same_loss(name: str) -> None:
    first, second = build(name), build(name)
    assert compute(first, name).item() == compute(second, name).item()


def test_state_dict_round_trip_keeps_the_loss(name: str) -> None:
    method, other = build(name), build(name)
    optimizer = torch.optim.Adam(method.parameters(), lr=1e-3)
    for step in range(3):  # what a method gathers on its way (a centre, a queue, a teacher) is part of it
        optimizer.zero_grad()
        compute(method, name, seed=step).backward()
        optimizer.step()
        method.after_step(step / 9)
    other.load_state_dict(method.state_dict())
    assert compute(method, name).item() == compute(other, name).item()


def test_loss_falls_on_eight_images(name: str) -> None:
    method = build(name)
    optimizer = torch.optim.Adam(method.parameters(), lr=1e-3)
    losses = []
    for step in range(30):
        loss = compute(method, name, seed=step)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        method.after_step(step / 30)
        losses.append(loss.item())
    assert losses[-1] < LAST_OVER_FIRST.get(name, 0.7) * losses[0]


def test_the_example_for_contributors_is_a_method_as_it_stands() -> None:
    root = Path(__file__).resolve().parents[2]
    code = (root / "src" / "cass" / "methods" / "simclr.py").read_text()
    assert f"```python\n{code}```" in (root / "CONTRIBUTING.md").read_text()
    assert len(code.splitlines()) < 60


def test_exported_keys_load_into_bare_timm(name: str) -> None:
    for branch, module in build(name).branches().items():
        extra = {"img_size": 32} if branch == "transformer" else {}
        network = timm.create_model(NETWORKS[branch], num_classes=0, **extra)
        network.load_state_dict(branch_state(module))
