"""Lightning's side of pretraining: one step, the optimiser, the batches of each epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor

from cass.config import PretrainConfig
from cass.errors import CassError
from cass.methods.base import Method
from cass.seeds import derive_seed
from cass.training.optim import build_optimizer, cosine_schedule
from cass.types import StepOutput


class PretrainModule(pl.LightningModule):
    """Trains a method.

    Args:
        method: What maps views to a loss.
        config: Settings of the run.
        make_loader: Function of the epoch (from 0) that returns its batches.
        steps_per_epoch: Batches an epoch.
    """

    def __init__(
        self,
        method: Method,
        *,
        config: PretrainConfig,
        make_loader: Callable[[int], Iterable[Any]],
        steps_per_epoch: int,
    ) -> None:
        super().__init__()
        self.method = method
        self.config = config
        self.make_loader = make_loader
        self.total_steps = steps_per_epoch * config.epochs
        for name, branch in method.branches().items():
            if name == "cnn":
                branch.to(memory_format=torch.channels_last)

    def train_dataloader(self) -> Iterable[Any]:
        """Return the batches of the epoch that begins."""
        return self.make_loader(self.trainer.current_epoch)

    def on_train_epoch_start(self) -> None:
        """Tie the networks' own randomness (dropout) to the epoch, so that a resumed run repeats it."""
        torch.manual_seed(derive_seed(self.config.seed, "network", self.current_epoch))

    def training_step(self, batch: Any, _: int) -> Tensor:
        """Compute the loss of one batch."""
        views, _labels, rows = batch
        views = [view.contiguous(memory_format=torch.channels_last) for view in views]
        out: StepOutput = self.method(views)
        if not torch.isfinite(out.loss):
            raise CassError(
                f"The loss is {float(out.loss.detach())} at step {self.global_step}",
                "Lower --lr, or use --precision 32.",
            )
        self.log("train/loss", out.loss.detach(), on_step=True, on_epoch=True, batch_size=len(rows))
        for name, value in out.logs.items():
            self.log(f"train/{name}", value, on_step=True, on_epoch=False, batch_size=len(rows))
        return out.loss

    def on_train_batch_end(self, *_: Any) -> None:
        """Let the method do what follows a step."""
        self.method.after_step(min(1.0, self.global_step / self.total_steps))

    def configure_optimizers(self) -> Any:
        """Build the optimiser and its cosine schedule."""
        config = self.config
        optimizer = build_optimizer(
            config.optimizer, self.method.param_groups(), lr=config.lr, weight_decay=config.weight_decay
        )
        schedule = cosine_schedule(optimizer, half_period=config.schedule_steps or self.total_steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
