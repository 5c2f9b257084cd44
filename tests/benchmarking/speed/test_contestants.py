"""Every contestant of the speed benchmark computes what it stands for, on tiny networks."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from cass.benchmarking.speed import published, rivals
from cass.benchmarking.speed.bare import Bare
from cass.benchmarking.speed.contestants import pretrain_config
from cass.benchmarking.speed.decoding import cache_share
from cass.benchmarking.speed.loop import Loop
from cass.benchmarking.speed.published import Published
from cass.benchmarking.speed.rivals import RIVALS, Rival
from cass.config.pretrain import PretrainConfig
from cass.config.speed import SpeedConfig
from cass.data.store.store import decode_images
from cass.types import BRANCHES, BranchName
from conftest import write_scans

CONFIG = SpeedConfig(
    cnn="test_resnet",
    transformer="test_vit",
    image_size=32,
    batch_size=4,
    device="cpu",
)


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    table = write_scans(tmp_path_factory.mktemp("speed") / "scans", count=12)
    return sorted((table.parent / "images").iterdir())


@pytest.fixture(autouse=True)
def no_loader_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (published, rivals):
        monkeypatch.setattr(module, "LOADERS", 0)


def moved(before: list[torch.Tensor], module: torch.nn.Module) -> bool:
    return any(not torch.equal(old, new) for old, new in zip(before, module.parameters(), strict=True))


def weights(module: torch.nn.Module) -> list[torch.Tensor]:
    return [parameter.detach().clone() for parameter in module.parameters()]


def test_contestants_get_every_setting_that_pretraining_has_too() -> None:
    given = CONFIG.model_copy(update={"num_workers": 3, "seed": 7, "compile": "on"})
    made = pretrain_config(given)
    common = SpeedConfig.model_fields.keys() & PretrainConfig.model_fields
    assert {"num_workers", "precision", "cnn_args"} <= common
    assert all(getattr(made, name) == getattr(given, name) for name in common)
    assert (made.cnn_weights, made.devices) == ("none", 1)


def test_the_bare_networks_take_steps_and_count_operations() -> None:
    bare = Bare(CONFIG)
    before = [weights(network) for network, _ in bare.parts]
    timing = bare.run(2)
    assert timing.images == 8
    assert timing.seconds > 0
    assert all(moved(old, network) for old, (network, _) in zip(before, bare.parts, strict=True))
    assert set(bare.formats) == {"cnn", "transformer"}
    assert bare.flops() > 1e6


def test_the_loop_of_cass_trains_and_times_its_waits(paths: list[Path]) -> None:
    images = decode_images(paths, names=[path.name for path in paths], image_size=32, in_chans=3)
    loop = Loop(CONFIG, images, list(range(12)))
    before = weights(loop.method)
    timing = loop.run(3)
    assert timing.images == 12
    assert 0 < timing.waited < timing.seconds
    assert moved(before, loop.method)


def test_the_published_loop_trains_both_networks(paths: list[Path]) -> None:
    loop = Published(CONFIG, paths)
    before = [weights(network) for network in loop.networks]
    timing = loop.run(4)  # more batches than one epoch has
    assert timing.images == 16
    assert all(moved(old, network) for old, network in zip(before, loop.networks, strict=True))


@pytest.mark.parametrize("branch", BRANCHES)
@pytest.mark.parametrize("name", sorted(RIVALS))
def test_rivals_train_one_branch(paths: list[Path], name: str, branch: BranchName) -> None:
    rival = Rival(name, branch, CONFIG, paths)
    before = weights(rival.model)
    timing = rival.run(2)
    assert timing.images == 8
    assert moved(before, rival.model)


def test_building_the_cache_is_compared_with_decoding(paths: list[Path]) -> None:
    assert cache_share(paths, image_size=16, rounds=1) > 0
