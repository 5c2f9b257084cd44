from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from cass.errors import ConfigError
from cass.evaluation.collapse import spread
from cass.methods.base import METHODS, Method, build_method
from cass.methods.cass import CASS
from cass.methods.cass_neighbours import CASSNeighbours
from cass.methods.closed_form import joint_targets
from cass.models.backbones import BackboneSpec, build_branch
from cass.transforms.descriptors import gradient_histograms


def method(weights: str = "none") -> CASS:
    pair = {
        "cnn": build_branch(BackboneSpec(name="test_resnet", image_size=32), seed=0),
        "transformer": build_branch(BackboneSpec(name="test_vit", image_size=32), seed=1),
    }
    for branch in pair.values():
        object.__setattr__(branch.spec, "weights", weights)
    built = build_method(METHODS.find("cass", "joint"), {"width": 8}, pair)
    assert isinstance(built, CASS)
    return built


def test_loss_compares_each_branch_with_its_images_targets() -> None:
    joint = method().eval()
    images = torch.rand(12, 3, 32, 32)
    with torch.no_grad():
        joint.begin(
            {name: branch.embed(images) for name, branch in joint.branches().items()},
            lambda: gradient_histograms(images),
        )
        positions = torch.tensor([7, 2, 9])
        loss = float(joint([images[positions]], positions).loss)
        expected = []
        for name, branch in joint.branches().items():
            output = joint.heads[name](branch.embed(images[positions])).double().numpy()
            target = joint.targets[positions].double().numpy()
            cosines = (output * target).sum(1) / np.linalg.norm(output, axis=1) / np.linalg.norm(target, axis=1)
            expected.append((2 - 2 * cosines).mean())
    assert loss == pytest.approx(np.mean(expected), abs=1e-6)


@pytest.mark.parametrize(
    ("taught", "sources"), [((), ["edges"]), (("cnn",), ["cnn"]), (("cnn", "transformer"), ["cnn", "transformer"])]
)
def test_only_what_knows_something_teaches(taught: tuple[str, ...], sources: list[str]) -> None:
    joint = method()
    for name in taught:
        object.__setattr__(joint.branches()[name].spec, "weights", "given")
    draw = torch.Generator().manual_seed(0)
    seen = {
        name: torch.randn(30, branch.num_features, generator=draw) for name, branch in joint.branches().items()
    }
    edges = torch.randn(30, 11, generator=draw)
    joint.begin(seen, lambda: edges)
    everything = {**seen, "edges": edges}
    expected = joint_targets([everything[name] for name in sources], width=8, power=0.5)
    assert torch.equal(joint.targets, expected)


def test_targets_are_no_part_of_the_weights_and_shared_by_copies() -> None:
    joint = method()
    joint.begin(
        {name: torch.randn(9, part.num_features) for name, part in joint.branches().items()},
        lambda: torch.randn(9, 5),
    )
    assert not any("targets" in name for name in joint.state_dict())
    assert not any("targets" in name for name, _ in joint.named_buffers())
    assert copy.deepcopy(joint).targets is joint.targets
    other = method()
    other.load_start_state(joint.start_state())
    assert torch.equal(other.targets, joint.targets)


def test_a_random_start_is_said() -> None:
    assert "randomly initialised" in method().start_note()
    assert method("given").start_note() == ""


def train(objective: str, *, steps: int = 30) -> float:
    """Train for some steps; return the Transformer's spread over its spread at the start."""
    torch.manual_seed(0)
    pair = {
        "cnn": build_branch(BackboneSpec(name="test_resnet", image_size=32), seed=0),
        "transformer": build_branch(BackboneSpec(name="test_vit", image_size=32), seed=1),
    }
    built = build_method(METHODS.find("cass", objective), {"width": 16}, pair)
    images = torch.nn.functional.interpolate(torch.rand(256, 3, 4, 4), 32)
    before = {name: embed(built, name, images) for name in pair}
    built.begin(before, lambda: gradient_histograms(images))
    built.train()
    optimizer = torch.optim.Adam(built.parameters(), lr=3e-3)
    losses = []
    for _ in range(steps):
        positions = torch.randint(0, len(images), (32,))
        loss = built([images[positions]], positions).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.9 * losses[0]
    return spread(embed(built, "transformer", images)) / spread(before["transformer"])


def embed(built: Method, name: str, images: torch.Tensor) -> torch.Tensor:
    built.eval()
    with torch.no_grad():
        return built.branches()[name].embed(images)


def test_published_loss_collapses_and_joint_targets_do_not() -> None:
    assert train("cosine") < 0.15
    assert train("joint") > 1.0
    assert train("cosine", steps=120) < 0.15
    assert train("neighbours", steps=120) > 1.0  # it falls at first, and recovers


def test_an_objective_belongs_to_cass_alone() -> None:
    with pytest.raises(ConfigError, match=r"--method dino has no --objective 'cosine'\. Drop --objective"):
        METHODS.find("dino", "cosine")
    with pytest.raises(ConfigError, match=r"Use --objective .*\bjoint\b"):
        METHODS.find("cass", "cosin")
    assert METHODS.find("cass", "joint") is CASS
    assert METHODS.find("cass") is METHODS.find("cass", "neighbours") is CASSNeighbours


def test_the_loss_of_each_branch_is_logged() -> None:
    joint = method().eval()
    assert joint.targets.shape == (0, 8)
    images = torch.rand(6, 3, 32, 32)
    with torch.no_grad():
        joint.begin(
            {name: branch.embed(images) for name, branch in joint.branches().items()},
            lambda: gradient_histograms(images),
        )
        out = joint([images], torch.arange(6))
    assert set(out.logs) == {"cnn_loss", "transformer_loss"}
    assert float(out.loss) == pytest.approx(sum(float(value) for value in out.logs.values()) / 2)
