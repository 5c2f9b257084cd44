"""The objectives that lost the search for the default one: they learn, and each differs in what its name says."""

from __future__ import annotations

import runpy
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from cass.methods import METHODS, Method
from tried_objectives import POSITIONS, build, losses

SEARCH = Path(__file__).resolve().parents[2] / "benchmarks" / "search.py"


@pytest.fixture(scope="module")
def kinds() -> Iterator[dict[str, type[Method]]]:
    there = dict(METHODS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(METHODS, "_entries", dict(there))
        runpy.run_path(str(SEARCH))
        yield dict(METHODS) | {"cass": METHODS.find("cass", "joint")}  # as in search.yaml


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
