"""Lightning's side of training: batches and views for every module, and pretraining's step and optimiser."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor

from cass.config.pretrain import PretrainConfig
from cass.data.store.dataset import Batch, EpochBatches, StoredImages, to_images, train_loader
from cass.errors import NotFiniteError
from cass.hardware import accelerator, workers
from cass.methods.base import Method, Optimization
from cass.models.backbones import Branch
from cass.models.modes import evaluation_mode
from cass.seeds import derive_seed
from cass.training.gradients import is_read
from cass.training.optim import build_optimizer, cosine_schedule
from cass.training.protection import lowered, parameter_groups
from cass.training.rates import warm_cosine_schedule
from cass.transforms.views import MakeViews
from cass.types import StepOutput, Views

START_STATE = "start_state"


class BatchModule(pl.LightningModule):
    """A module that is fed stored pixels and makes the views of a batch on its own device.

    Args:
        make_views: The augmentation.
        seed: Seed of the run.
    """

    def __init__(self, make_views: MakeViews, *, seed: int) -> None:
        super().__init__()
        self.make_views = make_views
        self.seed = seed

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        """Move pixels and targets to the device; row numbers stay on the CPU, where they seed augmentations."""
        return batch._replace(
            pixels=batch.pixels.to(device, non_blocking=True), targets=batch.targets.to(device, non_blocking=True)
        )

    def refuse_not_finite(self, loss: Tensor) -> None:
        """Stop where the loss is NaN or infinite; on a GPU, look at every 50th step only.

        Args:
            loss: Scalar.

        Raises:
            NotFiniteError: It is not finite.
        """
        if is_read(loss, self.global_step) and not torch.isfinite(loss):
            raise NotFiniteError(
                f"The loss is {float(loss.detach())} at step {self.global_step}",
                "Lower --lr, or use --precision 32.",
            )

    def views(self, batch: Batch, *, items: Tensor | None = None) -> list[Tensor]:
        """Make the augmented views of a batch.

        Args:
            batch: B images.
            items: Numbers (B,) that seed each image's augmentation; default: its row.

        Returns:
            (B, C, V, V) in [0, 1] for each view, channels last in memory.
        """
        seed = derive_seed(self.seed, "views", self.current_epoch)
        numbers = batch.rows if items is None else items
        views = self.make_views(to_images(batch.pixels), seed, numbers.numpy())
        return [view.contiguous(memory_format=torch.channels_last) for view in views]

    def on_train_epoch_start(self) -> None:
        """Tie the networks' own randomness (dropout) to the epoch, so that a resumed run repeats it."""
        torch.manual_seed(derive_seed(self.seed, "network", self.current_epoch, self.global_rank))

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Free the last step's gradients before the forward pass; Lightning would do so after it."""
        if batch_idx % self.trainer.accumulate_grad_batches == 0:
            for parameter in self.parameters():
                parameter.grad = None

    def share(self, batch: Batch, parts: int) -> float:
        """Return the factor that makes the mean over ``parts`` unequal parts of a step its images' mean."""
        return len(batch.rows) * parts / batch.total


class PretrainModule(BatchModule):
    """Trains a method.

    Args:
        method: What maps views to a loss.
        config: Settings of the run.
        images: The training images.
        make_views: The augmentation.
        batch_size: Images per step, over all ranks.
    """

    def __init__(
        self,
        method: Method,
        *,
        config: PretrainConfig,
        images: StoredImages,
        make_views: MakeViews,
        batch_size: int,
    ) -> None:
        super().__init__(make_views, seed=config.seed)
        self.method = method.train()
        self.config = config
        self.images = images
        self.batch_size = batch_size
        for branch in method.modules():
            if not isinstance(branch, Branch):
                continue
            if branch.patch_size is None:
                branch.to(memory_format=torch.channels_last)
            if config.gradient_checkpointing:
                branch.checkpoint_gradients()

    def setup(self, stage: str) -> None:
        """Let several processes train on the same targets, and agree on which parameters learn."""
        if self.trainer.world_size > 1:
            # Computed on different machines, targets may differ in the signs of their axes.
            self.method.load_start_state(self.trainer.strategy.broadcast(self.method.start_state()))
            images = to_images(self.images[range(2), 2].pixels)
            _freeze_unreached(self.method, self.make_views(images, self.seed, range(2)), torch.arange(2))

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep what the method computed before the first step."""
        checkpoint[START_STATE] = self.method.start_state()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Continue with what the method computed before the first step, where the checkpoint has it."""
        if START_STATE in checkpoint:
            self.method.load_start_state(checkpoint[START_STATE])

    def train_dataloader(self) -> Iterable[Any]:
        """Return the batches of every epoch, this rank's part of each."""
        batches = EpochBatches(
            len(self.images),
            batch_size=self.batch_size,
            seed=self.seed,
            rank=self.trainer.global_rank,
            world_size=self.trainer.world_size,
            parts=self.config.accumulate,
        )
        return train_loader(
            self.images,
            batches,
            num_workers=workers(self.config),
            pin_memory=accelerator(self.config.device) == "cuda",
        )

    def total_steps(self) -> int:
        """Return the optimiser steps of the whole run."""
        return int(self.trainer.estimated_stepping_batches)

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """Compute the loss of one batch, or of this rank's part of it."""
        out: StepOutput = self.method(self.views(batch), batch.positions)
        loss = out.loss * self.share(batch, self.trainer.world_size * self.config.accumulate)
        self.refuse_not_finite(loss)
        together = self.trainer.world_size > 1
        options: dict[str, Any] = {"batch_size": batch.total, "sync_dist": together}
        self.log("train/loss", loss.detach(), on_step=True, on_epoch=True, **options)
        for name, value in out.logs.items():
            self.log(f"train/{name}", value, on_step=True, on_epoch=False, **options)
        return loss

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Call the method's hook after an optimiser step."""
        if (batch_idx + 1) % self.config.accumulate == 0:
            self.method.after_step(min(1.0, self.global_step / self.total_steps()))

    def on_train_epoch_end(self) -> None:
        """Stop before NaN weights are saved."""
        self.refuse_not_finite(self.trainer.callback_metrics["train/loss_epoch"].cpu())

    def configure_optimizers(self) -> Any:
        """Build the optimiser and its schedule."""
        how = optimization(self.config, self.method, batch_size=self.batch_size, images=len(self.images))
        groups = parameter_groups(self.method, self.config)
        optimizer = build_optimizer(how.optimizer, groups, lr=how.lr, weight_decay=how.weight_decay)
        schedule: Any
        if self.config.schedule_steps is not None:
            schedule = cosine_schedule(optimizer, half_period=self.config.schedule_steps)
        else:
            schedule = warm_cosine_schedule(optimizer, steps=self.total_steps(), warmup=how.warmup)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def optimization(config: PretrainConfig, method: Method, *, batch_size: int, images: int) -> Optimization:
    """Resolve the optimiser and rates: the user's settings, else the method's.

    Randomly initialised networks have no pretrained weights to protect: their rate is never lowered.

    Args:
        config: Settings of the run; what they give is taken as it is.
        method: What trains.
        batch_size: Images per step, over all ranks.
        images: Training images.
    """
    how = method.optimization
    if any(branch.spec.weights != "none" for branch in method.branches().values()):
        steps = config.epochs * len(EpochBatches(images, batch_size=batch_size, seed=config.seed))
        how = lowered(how, steps=steps, batch_size=batch_size)
    names = ("optimizer", "lr", "weight_decay", "warmup")
    given = {name: value for name in names if (value := getattr(config, name)) is not None}
    return dataclasses.replace(how, **given)


def _freeze_unreached(method: Method, views: Views, positions: Tensor) -> None:
    """Freeze the parameters that no loss reaches; some of timm's networks have such."""
    with evaluation_mode(method):  # batch statistics stay as they are
        method(views, positions).loss.backward()
    for parameter in method.parameters():
        parameter.requires_grad_(parameter.requires_grad and parameter.grad is not None)
    method.zero_grad(set_to_none=True)
