"""The objectives that lost the search for the default one: they learn, and each differs in what its name says."""

from __future__ import annotations

import runpy
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from cass.config.base import build_config
from cass.methods import METHODS, Method
from cass.models.backbones import BackboneSpec, build_branch

SEARCH = Path(__file__).resolve().parents[2] / "benchmarks" / "search.py"
POSITIONS = torch.arange(8)


@pytest.fixture(scope="module")
def kinds() -> Iterator[dict[str, type[Method]]]:
    there = dict(METHODS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(METHODS, "_entries", dict(there))
        runpy.run_path(str(SEARCH))
        yield dict(METHODS)


def build(kind: type[Method], *, pretrained: bool = False) -> Any:
    torch.manual_seed(0)
    branches = {
        name: build_branch(BackboneSpec(network, image_size=32), seed=1)
        for name, network in (("cnn", "test_resnet"), ("transformer", "test_vit"))
    }
    for branch in branches.values():
        branch.spec = replace(branch.spec, weights="file" if pretrained else "none")
    method = kind(build_config(kind.Config, {"width": 6}), branches)
    start = torch.Generator().manual_seed(2)
    embeddings = {name: torch.randn(8, part.num_features, generator=start) for name, part in branches.items()}
    method.begin(embeddings, lambda: torch.randn(8, 20, generator=start))
    return method.train()


def losses(method: Any, *, steps: int) -> list[float]:
    drawn = torch.rand(method.num_views, 8, 3, 32, 32, generator=torch.Generator().manual_seed(3))
    optimizer = torch.optim.Adam([part for part in method.parameters() if part.requires_grad], lr=1e-3)
    found = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = method(list(drawn), POSITIONS).loss
        loss.backward()
        optimizer.step()
        found.append(float(loss.detach()))
    return found


def test_each_lowers_its_loss(kinds: dict[str, type[Method]]) -> None:
    joint = kinds["cass"]
    tried = {name for name, kind in kinds.items() if issubclass(kind, joint) and kind is not joint}
    assert len(tried) >= 9
    # VISReg stops the gradient of its scale: what it descends is not its value.
    for name in sorted(tried - {"live-visreg"}):
        found = losses(build(kinds[name]), steps=12)
        assert found[-1] < found[0], name
    assert all(torch.isfinite(torch.tensor(losses(build(kinds["live-visreg"]), steps=2))))


def test_random_heads_are_not_the_fitted_ones(kinds: dict[str, type[Method]]) -> None:
    fitted, random = build(kinds["cass"]), build(kinds["random-heads"])
    assert torch.equal(fitted.targets, random.targets)
    assert not torch.equal(fitted.heads["cnn"].weight, random.heads["cnn"].weight)


def test_two_views_of_one_picture_cost_what_one_costs(kinds: dict[str, type[Method]]) -> None:
    one, two = build(kinds["cass"]).eval(), build(kinds["two-views"]).eval()
    view = torch.rand(8, 3, 32, 32, generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(two([view, view], POSITIONS).loss, one([view], POSITIONS).loss)


def test_targets_come_from_whom_the_name_says(kinds: dict[str, type[Method]]) -> None:
    named = {
        name: build(kinds[name], pretrained=True)
        for name in ("cass", "transformer-targets", "own-targets", "network-targets")
    }
    assert torch.equal(named["cass"].targets, named["network-targets"].targets)
    assert not torch.equal(named["cass"].targets, named["transformer-targets"].targets)
    assert torch.equal(named["own-targets"].own["transformer"], named["transformer-targets"].targets)
    assert not torch.equal(build(kinds["cass"]).targets, build(kinds["network-targets"]).targets)
