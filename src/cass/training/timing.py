"""Pretraining with a clock: how long its steps take, and how long they wait for data."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch

from cass.config.pretrain import PretrainConfig
from cass.data.store.dataset import StoredImages
from cass.hardware import synchronize, torch_device
from cass.methods.base import Method
from cass.training.engine import fit
from cass.training.modules import PretrainModule
from cass.training.stopwatch import Stopwatch
from cass.transforms.views import MakeViews


class TimedPretrainModule(PretrainModule):
    """Pretraining whose waits for batches are timed."""

    stopwatch: Stopwatch

    def train_dataloader(self) -> Iterable[Any]:
        """Return the timed batches."""
        self.stopwatch = Stopwatch(super().train_dataloader())
        return self.stopwatch


class StepClock(pl.Callback):
    """Times all steps but the first ones, in which memory is claimed.

    Args:
        device: The device that computes.
        warm_up: Steps that are not timed, at least 1.

    Attributes:
        seconds: What the timed steps took.
        waited: Seconds of it spent waiting for data.
    """

    def __init__(self, device: torch.device, *, warm_up: int) -> None:
        self.device = device
        self.warm_up = warm_up
        self.seconds = self.waited = 0.0

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Start after the last step of the warm-up; keep the time up to the last step."""
        if batch_idx + 1 == self.warm_up:
            synchronize(self.device)
            self._start, self._waited = time.perf_counter(), module.stopwatch.waited
        elif batch_idx + 1 == trainer.num_training_batches:
            synchronize(self.device)
            self.seconds = time.perf_counter() - self._start
            self.waited = module.stopwatch.waited - self._waited


def time_pretraining(
    method: Method,
    config: PretrainConfig,
    images: StoredImages,
    *,
    make_views: MakeViews,
    batch_size: int,
    warm_up: int,
) -> StepClock:
    """Pretrain for one epoch, without collapse watch and checkpoints, which belong to no step.

    Args:
        method: What is trained.
        config: Settings of the run.
        images: The training images.
        make_views: The augmentation.
        batch_size: Images per step.
        warm_up: Steps that are not timed, at least 1.

    Returns:
        The clock of the other steps.
    """
    module = TimedPretrainModule(
        method, config=config, images=images, make_views=make_views, batch_size=batch_size
    )
    clock = StepClock(torch_device(config), warm_up=warm_up)
    with tempfile.TemporaryDirectory() as folder:
        fit(module, settings=config, epochs=1, callbacks=[clock], logs=Path(folder) / "logs")
    return clock
