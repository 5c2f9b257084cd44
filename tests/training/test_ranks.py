from __future__ import annotations

from pathlib import Path

import pytest

from cass.config.pretrain import PretrainConfig
from cass.training.ranks import devices_of, is_main, nodes_of, world_size

NAMES = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "NODE_RANK", "SLURM_PROCID", "SLURM_NNODES")


def config(**settings: object) -> PretrainConfig:
    return PretrainConfig(data="x", out=Path("x"), device="cpu", **settings)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*NAMES, "SLURM_NTASKS_PER_NODE"):
        monkeypatch.delenv(name, raising=False)


def test_a_processor_alone_is_one_process() -> None:
    assert (devices_of(config()), nodes_of(config()), world_size(config())) == (1, 1, 1)
    assert is_main(config())


def test_torchrun_on_two_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"WORLD_SIZE": "8", "LOCAL_WORLD_SIZE": "4", "RANK": "4", "LOCAL_RANK": "0"}.items():
        monkeypatch.setenv(name, value)
    assert (devices_of(config()), nodes_of(config())) == (4, 2)
    assert not is_main(config())
    monkeypatch.setenv("RANK", "0")
    assert is_main(config())


def test_slurm(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"SLURM_NTASKS_PER_NODE": "8", "SLURM_NNODES": "4", "SLURM_PROCID": "31"}.items():
        monkeypatch.setenv(name, value)
    assert world_size(config()) == 32
    assert not is_main(config())


def test_processes_that_cass_starts_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_main(config(devices=2))
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert not is_main(config(devices=2))
