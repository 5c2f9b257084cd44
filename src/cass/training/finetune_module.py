"""Lightning's side of fine-tuning one branch on labels."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cass.config.finetune import TuneSettings
from cass.data.store.dataset import Batch, EpochBatches, StoredImages, in_order, to_images, train_loader
from cass.evaluation.calibration import fit_temperature
from cass.evaluation.logistic import log_loss
from cass.evaluation.metrics import balanced_accuracy
from cass.evaluation.probabilities import probabilities
from cass.hardware import accelerator, workers
from cass.models.backbones import Branch
from cass.models.layers import layer_groups
from cass.models.modes import freeze_batch_norms
from cass.seeds import derive_seed
from cass.training.balance import Balance
from cass.training.labelled import PseudoLabels
from cass.training.losses import classification_loss, pseudo_label_loss
from cass.training.modules import BatchModule
from cass.training.optim import build_optimizer
from cass.training.rates import freeze_last_layers, warm_cosine_schedule
from cass.transforms.views import MakeViews
from cass.types import Task

VAL_BATCH = 64


def passes_per_epoch(count: int, *, batch_size: int, min_steps: int) -> int:
    """Return how often an epoch goes over ``count`` images, so that it has ``min_steps`` steps or more."""
    return max(1, -(-min_steps * batch_size // count))


class FinetuneModule(BatchModule):
    """Trains one branch with its classifier.

    Args:
        branch: The branch; its head maps to K classes.
        settings: Settings of fine-tuning.
        task: Multi-class or multi-label.
        balance: How classes of unequal size are treated.
        images: The labelled training images.
        validation: The labelled validation images.
        make_views: The augmentation of the training images.
        pseudo: Images with pseudo-labels, half as many of which join each batch, or None.
        fresh: Whether the backbone was randomly initialised before any pretraining: then all layers learn at
            one rate, batch normalisation uses each batch, and the head is to start from small random weights
            (:meth:`reset_head`).

    Raises:
        ModelError: Where timm has no gradient checkpointing for the network, and it is asked for.
    """

    def __init__(
        self,
        branch: Branch,
        *,
        settings: TuneSettings,
        task: Task,
        balance: Balance,
        images: StoredImages,
        validation: StoredImages,
        make_views: MakeViews,
        pseudo: PseudoLabels | None = None,
        fresh: bool = False,
    ) -> None:
        super().__init__(make_views, seed=settings.seed)
        self.branch = branch.to(memory_format=torch.channels_last)
        self.settings = settings
        self.task: Task = task
        self.balance = balance
        self.register_buffer("class_weights", balance.training_weights, persistent=False)
        self.images, self.validation, self.pseudo = images, validation, pseudo
        self.fresh = fresh
        self.passes = passes_per_epoch(len(images), batch_size=settings.batch_size, min_steps=settings.min_steps)
        self._outputs: list[tuple[Tensor, Tensor]] = []
        self._drawn = 0
        freeze_last_layers(branch, tuned_share=settings.tuned_share)
        if settings.gradient_checkpointing:
            branch.checkpoint_gradients()

    def reset_head(self) -> None:
        """Initialise the head with small random weights, as timm does.

        A probe of features of little spread has weights in the hundreds, from which training diverges.
        """
        draw = torch.Generator().manual_seed(derive_seed(self.settings.seed, "head"))
        with torch.no_grad():
            head: Any = self.branch.head
            head.weight.copy_(0.02 * torch.randn(head.weight.shape, generator=draw))
            head.bias.zero_()

    def train_dataloader(self) -> Iterable[Any]:
        """Return the batches of every epoch."""
        batches = EpochBatches(
            len(self.images),
            batch_size=self.settings.batch_size,
            seed=self.settings.seed,
            parts=self.settings.accumulate,
            passes=self.passes,
            classes=self.balance.classes,
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
        """Tie dropout to the epoch, and choose which layers behave as in training."""
        super().on_train_epoch_start()
        self._drawn = 0
        self.branch.train()
        # A handful of labels moves the running statistics away from what pretraining saw; they stay.
        freeze_batch_norms(self.branch.backbone, only_untrained=self.fresh)

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """Compute the mean loss of one batch."""
        # An image drawn twice in an epoch is augmented differently: the seed depends on the draw, not the image.
        draws = torch.arange(self._drawn, self._drawn + len(batch.rows))
        self._drawn += len(batch.rows)
        (view, *_more) = self.views(batch, items=draws)
        share = self.share(batch, self.settings.accumulate)
        loss = self.loss(self.branch(view), batch.targets) * share
        self.log("train/loss", loss.detach(), on_step=False, on_epoch=True, batch_size=batch.total)
        if self.pseudo is not None:
            loss = loss + share * self._pseudo_loss(self.pseudo, len(batch.rows))
        self.refuse_not_finite(loss)
        return loss

    def _pseudo_loss(self, pseudo: PseudoLabels, count: int) -> Tensor:
        """Compute the mean loss of half as many images with pseudo-labels, drawn anew for each step."""
        numbers = np.random.default_rng(derive_seed(self.settings.seed, "pseudo", self.current_epoch, self._drawn))
        total = min(max(2, count // 2), len(pseudo.images))
        chosen = np.sort(numbers.choice(len(pseudo.images), total, replace=False))
        batch = pseudo.images[chosen.tolist(), total]
        shown = batch._replace(pixels=batch.pixels.to(self.device))
        (view, *_more) = self.views(shown, items=batch.rows)
        return pseudo_label_loss(
            self.branch(view),
            batch.targets.to(self.device),
            shares=torch.from_numpy(pseudo.shares[chosen]).to(self.device),
            task=self.task,
            weights=self.class_weights,
        )

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
        for name, value in self.measure(logits, targets).items():
            self.log(f"val/{name}", torch.tensor(value, dtype=torch.float32))

    def measure(self, logits: Tensor, targets: Tensor) -> dict[str, float]:
        """Measure predictions as early stopping does.

        Args:
            logits: (N, K).
            targets: (N, K) of 0 and 1.

        Returns:
            ``loss``, the mean log loss at the temperature that :func:`cass.evaluation.calibration.fit_temperature`
            finds, which is that of what would be saved; and ``balanced_accuracy``. The training loss would
            depend on how confident a network is, which the temperature corrects, and on the few images of the
            rarest class.
        """
        values, truth = logits.cpu().numpy(), targets.cpu().numpy().astype("uint8")
        temperature = fit_temperature(values, truth, task=self.task).value
        return {
            "loss": log_loss(values / temperature, truth, task=self.task),
            "balanced_accuracy": balanced_accuracy(
                probabilities(logits, task=self.task).cpu().numpy(), truth, task=self.task
            ),
        }

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Compute the mean training loss of logits (N, K) for labels (N, K)."""
        return classification_loss(
            logits,
            targets,
            loss=self.settings.loss,
            task=self.task,
            weights=self.class_weights,
            alpha=self.settings.focal_alpha,
            gamma=self.settings.focal_gamma,
        ).mean()

    def configure_optimizers(self) -> Any:
        """Build AdamW over what is trained, with its schedule."""
        optimizer = build_optimizer(
            "adamw",
            layer_groups(self.branch, layer_decay=1.0 if self.fresh else self.settings.layer_decay),
            lr=self.settings.lr,
            weight_decay=self.settings.weight_decay,
        )
        schedule = warm_cosine_schedule(
            optimizer, steps=int(self.trainer.estimated_stepping_batches), warmup=self.settings.warmup
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
