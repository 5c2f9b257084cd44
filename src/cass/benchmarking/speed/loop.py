"""cass's own pretraining, timed: stored images, augmentation on the device, Lightning's loop."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch

from cass.benchmarking.speed.contestants import Stopwatch, Timing, networks, pretrain_config, synchronize
from cass.config.speed import SpeedConfig
from cass.data.store.dataset import Images, StoredImages
from cass.hardware import torch_device
from cass.methods.base import build_method, find_method
from cass.training.engine import fit
from cass.training.pretrain import PretrainModule
from cass.transforms.recipes import RECIPES
from cass.transforms.views import build_views

WARM_UP = 2


class _Pretraining(PretrainModule):
    """Pretraining whose waits for batches are timed."""

    stopwatch: Stopwatch

    def train_dataloader(self) -> Iterable[Any]:
        """Return the timed batches."""
        self.stopwatch = Stopwatch(super().train_dataloader())
        return self.stopwatch


class _StepClock(pl.Callback):
    """Times all steps but the first two, in which memory is claimed."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.seconds = self.waited = 0.0

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Start after the second step; keep the time since after the last."""
        if batch_idx + 1 == WARM_UP:
            synchronize(self.device)
            self._start, self._waited = time.perf_counter(), module.stopwatch.waited
        elif batch_idx + 1 == trainer.num_training_batches:
            synchronize(self.device)
            self.seconds = time.perf_counter() - self._start
            self.waited = module.stopwatch.waited - self._waited


class Loop:
    """The loop of ``cass pretrain``, without its collapse watch, which belongs to no step.

    Args:
        config: Settings.
        images: Decoded images.
        rows: Rows of the training images.
    """

    def __init__(self, config: SpeedConfig, images: Images, rows: list[int]) -> None:
        self.config = pretrain_config(config)
        self.device = torch_device(self.config)
        self.batch = config.batch_size
        self.images, self.rows = images, rows
        self.method = build_method(find_method("cass"), {}, dict(networks(self.config).items()))

    def run(self, steps: int) -> Timing:
        """Do two steps more than asked; the first two are not timed."""
        rows = sorted(self.rows[index % len(self.rows)] for index in range((steps + WARM_UP) * self.batch))
        self._begin(len(rows))
        module = _Pretraining(
            self.method,
            config=self.config,
            images=StoredImages(self.images, rows),
            make_views=build_views(RECIPES[self.method.default_views]),
            batch_size=self.batch,
        )
        clock = _StepClock(self.device)
        with tempfile.TemporaryDirectory() as folder:
            fit(module, settings=self.config, epochs=1, callbacks=[clock], logs=Path(folder) / "logs")
        return Timing(steps * self.batch, clock.seconds, clock.waited)

    def _begin(self, count: int) -> None:
        """Give the method a start of its images; any will do, since what is timed is the step."""
        draw = torch.Generator().manual_seed(0)
        self.method.begin(
            {
                name: torch.randn(count, branch.num_features, generator=draw)
                for name, branch in self.method.branches().items()
            },
            lambda: torch.randn(count, 512, generator=draw),
        )
