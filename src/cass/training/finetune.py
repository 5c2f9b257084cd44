"""Lightning's side of fine-tuning one branch on labels."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor

from cass.config import TuneSettings
from cass.evaluation.metrics import balanced_accuracy
from cass.models.backbones import Branch
from cass.seeds import derive_seed
from cass.training.losses import classification_loss, probabilities
from cass.training.optim import build_optimizer, cosine_schedule
from cass.types import Task


class FinetuneModule(pl.LightningModule):
    """Trains one branch with its classifier.

    Args:
        branch: The branch; its head maps to K classes.
        settings: Settings of fine-tuning.
        task: Multi-class or multi-label.
        weights: Class weights (K,), or None.
        make_loader: Function of the epoch (from 0) that returns its batches.
        steps_per_epoch: Batches an epoch.
    """

    def __init__(
        self,
        branch: Branch,
        *,
        settings: TuneSettings,
        task: Task,
        weights: Tensor | None,
        make_loader: Callable[[int], Iterable[Any]],
        steps_per_epoch: int,
    ) -> None:
        super().__init__()
        self.branch = branch.to(memory_format=torch.channels_last)
        self.settings = settings
        self.task: Task = task
        self.register_buffer("class_weights", weights, persistent=False)
        self.make_loader = make_loader
        self.total_steps = steps_per_epoch * settings.epochs
        self._outputs: list[tuple[Tensor, Tensor]] = []
        if settings.head == "linear":
            self.branch.backbone.requires_grad_(False)

    def train_dataloader(self) -> Iterable[Any]:
        """Return the batches of the epoch that begins."""
        return self.make_loader(self.trainer.current_epoch)

    def on_train_epoch_start(self) -> None:
        """Tie dropout to the epoch; a frozen backbone keeps its batch statistics and drops nothing."""
        torch.manual_seed(derive_seed(self.settings.seed, "network", self.current_epoch))
        if self.settings.head == "linear":
            self.branch.backbone.eval()

    def training_step(self, batch: Any, _: int) -> Tensor:
        """Compute the mean loss of one batch."""
        (view, *_more), targets, _rows = batch
        loss = self._loss(self.branch(view.contiguous(memory_format=torch.channels_last)), targets).mean()
        self.log("train/loss", loss.detach(), on_step=False, on_epoch=True, batch_size=len(targets))
        return loss

    def on_validation_epoch_start(self) -> None:
        """Forget the last epoch's predictions, so that metrics never mix epochs."""
        self._outputs = []

    def validation_step(self, batch: Any, _: int) -> None:
        """Collect the logits of one batch."""
        (view, *_more), targets, _rows = batch
        self._outputs.append((self.branch(view).float(), targets))

    def on_validation_epoch_end(self) -> None:
        """Log the loss and the balanced accuracy of the whole validation set."""
        logits = torch.cat([output[0] for output in self._outputs])
        targets = torch.cat([output[1] for output in self._outputs])
        self.log("val/loss", self._loss(logits, targets).mean())
        predicted = probabilities(logits, task=self.task).cpu().numpy()
        score = balanced_accuracy(predicted, targets.cpu().numpy().astype("uint8"), task=self.task)
        self.log("val/balanced_accuracy", torch.tensor(score, dtype=torch.float32))

    def _loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        return classification_loss(
            logits,
            targets,
            loss=self.settings.loss,
            task=self.task,
            weights=self.class_weights,
            alpha=self.settings.focal_alpha,
            gamma=self.settings.focal_gamma,
        )

    def configure_optimizers(self) -> Any:
        """Build the optimiser of what is trained and its cosine schedule."""
        optimizer = build_optimizer(
            "adam",
            [{"params": list(self.branch.parameters()), "lr_scale": 1.0, "weight_decay_scale": 1.0}],
            lr=self.settings.lr,
            weight_decay=self.settings.weight_decay,
        )
        schedule = cosine_schedule(optimizer, half_period=self.total_steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
