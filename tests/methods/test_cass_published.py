from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cass.methods.base import METHODS, Optimization, build_method
from cass.methods.cass import cass_loss
from cass.models.backbones import BackboneSpec, Branch, build_branch


def reference(first: np.ndarray, second: np.ndarray) -> float:
    """2 - 2·cos in float64, written the long way."""
    values = []
    for a, b in zip(first.astype(np.float64), second.astype(np.float64), strict=True):
        values.append(2.0 - 2.0 * float(a @ b) / float(np.sqrt(a @ a) * np.sqrt(b @ b)))
    return sum(values) / len(values)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 9), st.integers(2, 40), st.integers(0, 10_000))
def test_loss_equals_two_minus_two_cosines(batch: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    first, second = rng.normal(size=(2, batch, width)).astype(np.float32)
    loss = float(cass_loss(torch.from_numpy(first), torch.from_numpy(second)))
    assert loss == pytest.approx(reference(first, second), abs=1e-6)
    assert float(cass_loss(torch.from_numpy(second), torch.from_numpy(first))) == pytest.approx(loss, abs=1e-6)
    scaled = cass_loss(torch.from_numpy(first * 7.5), torch.from_numpy(second * 0.01))
    assert float(scaled) == pytest.approx(loss, abs=2e-6)


@pytest.mark.parametrize(("other", "expected"), [((1.0, 0.0), 0.0), ((0.0, 3.0), 2.0), ((-2.0, 0.0), 4.0)])
def test_golden_numbers(other: tuple[float, float], expected: float) -> None:
    assert float(cass_loss(torch.tensor([[1.0, 0.0]]), torch.tensor([other]))) == pytest.approx(expected)


def branch(name: str, *, classes: int = 0) -> Branch:
    built = build_branch(BackboneSpec(name=name, image_size=32), seed=0)
    if classes:
        built.head = torch.nn.Linear(built.num_features, classes)
    return built


def test_compares_the_classifiers_where_both_weights_bring_one() -> None:
    pair = {"cnn": branch("test_resnet", classes=10), "transformer": branch("test_vit", classes=10)}
    heads = [pair["cnn"].head, pair["transformer"].head]
    method = build_method(METHODS.find("cass", "cosine"), {}, pair)
    assert [method.cnn_head, method.transformer_head] == heads


@pytest.mark.parametrize("classes", [(10, 0), (10, 7)])
def test_compares_fresh_heads_of_equal_width_otherwise(classes: tuple[int, int]) -> None:
    pair = {
        "cnn": branch("test_resnet", classes=classes[0]),
        "transformer": branch("test_vit", classes=classes[1]),
    }
    method = build_method(METHODS.find("cass", "cosine"), {"width": 12}, pair)
    assert method.cnn_head.out_features == method.transformer_head.out_features == 12


def test_optimisation_is_the_papers() -> None:
    assert METHODS.find("cass", "cosine").optimization == Optimization(
        "adam", lr=1e-3, weight_decay=0.0, warmup=0.0
    )


def test_both_branches_see_the_same_view() -> None:
    pair = {"cnn": branch("test_resnet"), "transformer": branch("test_vit")}
    method = build_method(METHODS.find("cass", "cosine"), {"width": 8}, pair).eval()
    view = torch.rand(3, 3, 32, 32)
    expected = cass_loss(
        method.cnn_head(pair["cnn"].embed(view)), method.transformer_head(pair["transformer"].embed(view))
    )
    torch.testing.assert_close(method([view], torch.arange(3)).loss, expected)


def test_the_norms_of_both_outputs_are_logged() -> None:
    pair = {"cnn": branch("test_resnet"), "transformer": branch("test_vit")}
    method = build_method(METHODS.find("cass", "cosine"), {"width": 12}, pair).eval()
    assert method.compares == "fresh heads"
    images = torch.rand(4, 3, 32, 32)
    with torch.no_grad():
        out = method([images], torch.arange(4))
        norms = {
            f"{name}_norm": float(head(network.embed(images)).norm(dim=1).mean())
            for name, (network, head) in method.trained().items()
        }
    assert {name: float(value) for name, value in out.logs.items()} == pytest.approx(norms)
    assert list(method.trained()) == ["cnn", "transformer"]
    same = {"cnn": branch("test_resnet", classes=10), "transformer": branch("test_vit", classes=10)}
    assert build_method(METHODS.find("cass", "cosine"), {}, same).compares == "the classifiers of the weights"
