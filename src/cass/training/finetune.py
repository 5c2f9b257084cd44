"""Lightning's side of fine-tuning one branch on labels."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from cass.config import TuneSettings
from cass.data.dataset import Batch, EpochBatches, StoredImages, in_order, to_images, train_loader
from cass.evaluation.metrics import balanced_accuracy
from cass.models.backbones import Branch
from cass.training.batches import BatchModule
from cass.training.hardware import accelerator, workers
from cass.training.losses import classification_loss, probabilities
from cass.training.optim import build_optimizer, cosine_schedule
from cass.transforms.views import MakeViews
from cass.types import Task

VAL_BATCH = 64


class FinetuneModule(BatchModule):
    """Trains one branch with its classifier.

    Args:
        branch: The branch; its head maps to K classes.
        settings: Settings of fine-tuning.
        task: Multi-class or multi-label.
        weights: Class weights (K,), or None.
        images: The labelled training images.
        validation: The labelled validation images.
        make_views: The augmentation of the training images.
    """

    def __init__(
        self,
        branch: Branch,
        *,
        settings: TuneSettings,
        task: Task,
        weights: Tensor | None,
        images: StoredImages,
        validation: StoredImages,
        make_views: MakeViews,
    ) -> None:
        super().__init__(make_views, seed=settings.seed)
        self.branch = branch.to(memory_format=torch.channels_last)
        self.settings = settings
        self.task: Task = task
        self.register_buffer("class_weights", weights, persistent=False)
        self.images, self.validation = images, validation
        self._outputs: list[tuple[Tensor, Tensor]] = []
        if settings.head == "linear":
            self.branch.backbone.requires_grad_(False)

    def train_dataloader(self) -> Iterable[Any]:
        """Return the batches of every epoch."""
        batches = EpochBatches(
            len(self.images),
            batch_size=self.settings.batch_size,
            seed=self.settings.seed,
            parts=self.settings.accumulate,
        )
        return train_loader(
            self.images,
            batches,
            num_workers=workers(self.settings),
            pin_memory=accelerator(self.settings.device) == "cuda",
        )

    def val_dataloader(self) -> Iterable[Any]:
        """Return the validation images."""
        return in_order(self.validation, batch_size=VAL_BATCH)

    def on_train_epoch_start(self) -> None:
        """Tie dropout to the epoch; a frozen backbone keeps its batch statistics and drops nothing."""
        super().on_train_epoch_start()
        if self.settings.head == "linear":
            self.branch.backbone.eval()

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """Compute the mean loss of one batch."""
        (view, *_more) = self.views(batch)
        loss = self._loss(self.branch(view), batch.targets).mean() * self.share(batch, self.settings.accumulate)
        self.log("train/loss", loss.detach(), on_step=False, on_epoch=True, batch_size=batch.total)
        return loss

    def on_validation_epoch_start(self) -> None:
        """Forget the last epoch's predictions, so that metrics never mix epochs."""
        self._outputs = []

    def validation_step(self, batch: Batch, _: int) -> None:
        """Collect the logits of one batch."""
        self._outputs.append((self.branch(to_images(batch.pixels)).float(), batch.targets))

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
        schedule = cosine_schedule(optimizer, half_period=int(self.trainer.estimated_stepping_batches))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
