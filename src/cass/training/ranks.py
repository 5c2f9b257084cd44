"""Which process this is, where several train one model."""

from __future__ import annotations

import os

import torch

from cass.config.pretrain import PretrainConfig
from cass.errors import ConfigError
from cass.hardware import accelerator


def devices_of(config: PretrainConfig) -> int:
    """Return how many processes run on each machine.

    Args:
        config: Settings of the run.

    Returns:
        As asked; else as torchrun or SLURM started; else one a GPU, or one on a CPU.

    Raises:
        ConfigError: Where more GPUs are asked for than there are.
    """
    started = _environment_number("LOCAL_WORLD_SIZE") or _environment_number("SLURM_NTASKS_PER_NODE")
    gpus = torch.cuda.device_count() if accelerator(config.device) == "cuda" else 0
    if config.devices == "auto":
        return started or gpus or 1
    if gpus and config.devices > gpus:
        raise ConfigError(f"--devices {config.devices}: this machine has {gpus} GPUs", f"Use --devices {gpus}.")
    return config.devices


def nodes_of(config: PretrainConfig) -> int:
    """Return how many machines take part: as asked, else as torchrun or SLURM started, else one."""
    if config.nodes != "auto":
        return config.nodes
    world, local = _environment_number("WORLD_SIZE"), _environment_number("LOCAL_WORLD_SIZE")
    if world and local:
        return world // local
    return _environment_number("SLURM_NNODES") or 1


def world_size(config: PretrainConfig) -> int:
    """Return how many processes train together."""
    return devices_of(config) * nodes_of(config)


def is_main(config: PretrainConfig) -> bool:
    """Tell whether this process is the one that writes and speaks."""
    if world_size(config) == 1:
        return True
    for name in ("RANK", "SLURM_PROCID"):
        if (rank := _environment_number(name)) is not None:
            return rank == 0
    return not _environment_number("NODE_RANK") and not _environment_number("LOCAL_RANK")


def local_device(config: PretrainConfig) -> torch.device:
    """Return the torch device of this process: with several GPUs each process has its own."""
    kind = accelerator(config.device)
    if kind != "cuda":
        return torch.device(kind)
    return torch.device("cuda", _environment_number("LOCAL_RANK") or _environment_number("SLURM_LOCALID") or 0)


def _environment_number(name: str) -> int | None:
    value = os.environ.get(name, "")
    return int(value) if value.isdigit() else None
