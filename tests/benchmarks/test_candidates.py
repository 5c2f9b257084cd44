"""The candidates for the default objective: their benchmark can be run, and each learns what it says."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
import torch

from cass.benchmarking.spec import read_spec
from cass.config.base import build_config
from cass.methods import METHODS, Method
from tried_objectives import build, losses

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks" / "candidates"


@pytest.fixture(scope="module")
def kinds() -> Iterator[dict[str, type[Method]]]:
    """All methods, the candidates among them."""
    files = [file.stem for file in sorted(FOLDER.glob("[a-z]*.py"))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(METHODS, "_entries", dict(METHODS))
        patch.syspath_prepend(FOLDER)
        for name in files:
            import_module(name)
        yield dict(METHODS)
        for name in files:
            del sys.modules[name]


def test_every_method_of_the_benchmark_is_there_and_takes_its_settings(kinds: dict[str, type[Method]]) -> None:
    spec = read_spec(FOLDER / "candidates.yaml")
    for name, entry in spec.methods.items():
        if entry.pretraining:
            build_config(kinds[entry.method or name].Config, entry.settings().get("method_config", {}))


def test_each_lowers_its_loss(kinds: dict[str, type[Method]]) -> None:
    for name in ("cass-instances", "cass-renewed", "cass-blended"):  # the others are made for certain networks
        found = losses(build(kinds[name]), steps=12)
        assert found[-1] < found[0], name


def test_half_of_the_way_back_to_the_start(kinds: dict[str, type[Method]]) -> None:
    method = build(kinds["cass-blended"])
    weight = next(iter(method.nets.parameters()))
    start = weight.detach().clone()
    weight.data += 1
    method.after_step(0.5)
    assert torch.equal(weight, start + 1)
    method.after_step(1.0)
    torch.testing.assert_close(weight.detach(), start + 0.5)
