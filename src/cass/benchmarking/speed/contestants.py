"""What all contestants share: randomly initialised networks, the precision, the optimiser, the clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from cass.config.pretrain import PretrainConfig
from cass.config.speed import SpeedConfig
from cass.hardware import is_bf16_on_cpu, precision, torch_device
from cass.models.backbones import Branch
from cass.training.cpu_kernels import fast_cpu_kernels
from cass.training.start import start_branch
from cass.types import BRANCHES, BranchName


@dataclass(frozen=True)
class Timing:
    """Some steps of one contestant.

    Attributes:
        images: Images passed.
        seconds: What that took.
        waited: Seconds of it spent waiting for data.
    """

    images: int
    seconds: float
    waited: float


def repeat(make: Callable[[], Iterable[Any]]) -> Iterator[Any]:
    """Yield batches without end."""
    while True:
        yield from make()


def pretrain_config(config: SpeedConfig) -> PretrainConfig:
    """Return the settings of ``cass pretrain`` that are timed; networks are randomly initialised."""
    shared = {
        name: getattr(config, name) for name in SpeedConfig.model_fields.keys() & PretrainConfig.model_fields
    }
    return PretrainConfig(
        out=Path("unused"),
        cnn_weights="none",
        transformer_weights="none",
        devices=1,
        nodes=1,
        epochs=1,
        **shared,
    )


def networks(config: PretrainConfig, **extra: Any) -> dict[BranchName, Branch]:
    """Build both branches, randomly initialised; ``extra`` goes to timm for the Transformer."""
    wider = config.model_copy(update={"transformer_args": config.transformer_args | extra})
    return {name: start_branch(wider, name) for name in BRANCHES}


def autocast(config: PretrainConfig) -> AbstractContextManager[Any]:
    """Return the autocast that the settings mean."""
    device = torch_device(config)
    return torch.autocast(device.type, torch.bfloat16, enabled=precision(config) == "bf16-mixed")


def kernels(config: PretrainConfig, module: nn.Module) -> AbstractContextManager[None]:
    """Let a contestant use the kernels that training chooses on a CPU in bf16."""
    return fast_cpu_kernels(module, on=is_bf16_on_cpu(config))


def adam(parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """Build the fused Adam that every contestant but the published loop uses."""
    return torch.optim.Adam(parameters, lr=1e-4, fused=True)
