from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cass.errors import ConfigError
from cass.evaluation.collapse import effective_rank, spread
from cass.methods.base import METHODS, Method, build_method
from cass.methods.cass import CASS, RIDGE_PENALTIES, closed_form_head, joint_targets
from cass.models.backbones import BackboneSpec, build_branch
from cass.transforms.descriptors import gradient_histograms


def draw(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(size=shape)


def reference_targets(parts: list[np.ndarray], *, width: int, power: float) -> Any:
    """The same through a singular value decomposition in float64."""
    columns = []
    for part in parts:
        unit = part / np.linalg.norm(part, axis=1, keepdims=True)
        centred = unit - unit.mean(axis=0)
        columns.append(centred / np.sqrt((centred**2).sum(axis=1).mean()))
    joint = np.concatenate(columns, axis=1)
    left, values, _ = np.linalg.svd(joint, full_matrices=False)
    targets = left[:, :width] * values[:width] ** power
    return targets / np.linalg.norm(targets, axis=1, keepdims=True)


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_targets_are_the_evened_principal_axes_of_both_branches(power: float) -> None:
    parts = [draw(40, 7), draw(40, 5, seed=1) * 30]
    targets = joint_targets([torch.from_numpy(part) for part in parts], width=6, power=power).numpy()
    expected = reference_targets(parts, width=6, power=power)
    # An axis may point either way, so images are compared with one another.
    np.testing.assert_allclose(targets @ targets.T, expected @ expected.T, atol=1e-5)


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 30), st.integers(1, 12), st.integers(0, 1000))
def test_targets_have_unit_length_and_the_width_asked_for(count: int, dims: int, seed: int) -> None:
    targets = joint_targets(
        [torch.from_numpy(draw(count, dims, seed=seed)), torch.from_numpy(draw(count, 3, seed=seed + 1))],
        width=16,
        power=0.5,
    )
    assert targets.shape == (count, 16)
    torch.testing.assert_close(targets.norm(dim=1), torch.ones(count), atol=1e-4, rtol=0)


def test_targets_of_one_sided_embeddings_are_spread() -> None:
    narrow = torch.from_numpy(draw(200, 32)) * 0.01 + 5.0  # nearly one direction
    assert spread(narrow) < 0.1
    targets = joint_targets([narrow, narrow], width=32, power=0.0)
    assert spread(targets) > 0.9
    assert effective_rank(targets) > 25


def test_head_is_the_ridge_map_of_lowest_generalised_cross_validation_error() -> None:
    x, noise = draw(60, 20), draw(60, 4, seed=1)
    y = x[:, :4] @ draw(4, 4, seed=2) + noise
    weight, bias = closed_form_head(torch.from_numpy(x), torch.from_numpy(y))
    scale = x.std(axis=0, ddof=1) + 1e-3 * x.std(ddof=1)
    z, centred = (x - x.mean(axis=0)) / scale, y - y.mean(axis=0)
    best = None
    for penalty in RIDGE_PENALTIES:
        hat = z @ np.linalg.inv(z.T @ z + penalty * 60 * np.eye(20)) @ z.T
        error = ((centred - hat @ centred) ** 2).sum() / (1 - np.trace(hat) / 60) ** 2
        if best is None or error < best[0]:
            best = (error, hat @ centred + y.mean(axis=0))
    assert best is not None
    np.testing.assert_allclose(x @ weight.numpy().T + bias.numpy(), best[1], atol=1e-4)


def method(weights: str = "none") -> CASS:
    pair = {
        "cnn": build_branch(BackboneSpec(name="test_resnet", image_size=32), seed=0),
        "transformer": build_branch(BackboneSpec(name="test_vit", image_size=32), seed=1),
    }
    for branch in pair.values():
        object.__setattr__(branch.spec, "weights", weights)
    built = build_method(METHODS.find("cass"), {"width": 8}, pair)
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


def test_the_start_is_kept_where_it_is_good() -> None:
    norms = [part for part in method("given").train().modules() if isinstance(part, torch.nn.BatchNorm2d)]
    assert norms
    assert not any(part.training for part in norms)
    assert all(part.training for part in method().train().modules() if isinstance(part, torch.nn.BatchNorm2d))
    rates = [group["lr_scale"] for group in method("given").param_groups()]
    assert min(rates) < 0.2 < 1.0 <= max(rates)
    assert len({group["lr_scale"] for group in method().param_groups()}) == 2  # the CNN's and the Transformer's


def test_a_random_start_is_said() -> None:
    assert "randomly initialised" in method().start_note()
    assert method("given").start_note() == ""


def train(objective: str) -> float:
    """Train for 30 steps; return the Transformer's spread over its spread at the start."""
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
    for _ in range(30):
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


def test_an_objective_belongs_to_cass_alone() -> None:
    with pytest.raises(ConfigError, match=r"--method dino has no --objective 'cosine'\. Drop --objective"):
        METHODS.find("dino", "cosine")
    with pytest.raises(ConfigError, match=r"Use --objective .*\bjoint\b"):
        METHODS.find("cass", "cosin")
    assert METHODS.find("cass") is METHODS.find("cass", "joint") is CASS
