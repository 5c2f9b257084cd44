"""The default objective of cass: similarities to the joint targets."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import rel_entr, softmax

from cass.methods import cass_neighbours
from cass.methods.base import METHODS, build_method
from cass.methods.cass_neighbours import CASSNeighbours, neighbours_loss
from cass.models.backbones import BackboneSpec, build_branch
from cass.transforms.descriptors import gradient_histograms


def method() -> CASSNeighbours:
    pair = {
        "cnn": build_branch(BackboneSpec(name="test_resnet", image_size=32), seed=0),
        "transformer": build_branch(BackboneSpec(name="test_vit", image_size=32), seed=1),
    }
    built = build_method(METHODS.find("cass"), {"width": 8}, pair)
    assert isinstance(built, CASSNeighbours)
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
        bank = joint.targets.double().numpy()
        for name, branch in joint.branches().items():
            output = joint.heads[name](branch.embed(images[positions])).double().numpy()
            output /= np.linalg.norm(output, axis=1, keepdims=True)
            found, wanted = (softmax(part @ bank.T / 0.1, axis=1) for part in (output, bank[positions]))
            expected.append(rel_entr(wanted, found).sum(axis=1).mean())
    assert loss == pytest.approx(np.mean(expected), rel=1e-5)


def test_the_loss_is_zero_along_the_targets_and_above_it_for_constant_outputs() -> None:
    targets = torch.nn.functional.normalize(torch.randn(20, 5, generator=torch.Generator().manual_seed(0)), dim=1)
    assert float(neighbours_loss(3 * targets, targets, targets, temperature=0.1)) == pytest.approx(0, abs=1e-5)
    for constant in (targets.mean(dim=0), *targets):
        outputs = constant.expand(20, 5)
        assert neighbours_loss(outputs, targets, targets, temperature=0.1) > 1


def test_images_of_large_sets_are_compared_with_some_and_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = method().eval()
    images = torch.rand(12, 3, 32, 32)
    seen = {name: branch.embed(images).detach() for name, branch in whole.branches().items()}
    whole.begin(seen, lambda: gradient_histograms(images))
    positions = torch.tensor([7, 2, 9])
    compared = []
    monkeypatch.setattr(
        cass_neighbours, "neighbours_loss", lambda *given, **_: (compared.append(given[2]), given[0].sum())[1]
    )
    whole([images[positions]], positions)
    monkeypatch.setattr(cass_neighbours, "COMPARED", 5)
    few = method().eval()
    few.load_start_state(whole.start_state())
    few([images[positions]], positions)
    assert torch.equal(compared[0], whole.targets)
    assert len(compared[-1]) == 5 + 3
    assert torch.equal(compared[-1][5:], whole.targets[positions])
    again = method()
    again.load_start_state(whole.start_state())
    again.eval()([images[positions]], positions)
    assert torch.equal(compared[-1], compared[-3])  # the same choice in a run that continues
