"""The collapse watch: measures both branches at the start, after the epochs, and at the end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import lightning.pytorch as pl
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cass.data.store.dataset import Batch, Images, StoredImages
from cass.evaluation.collapse import CollapseVerdict, Reading, between_image_share, effective_rank, spread, verdict
from cass.evaluation.knn import knn_balanced_accuracy
from cass.models.backbones import Branch
from cass.seeds import derive_seed
from cass.training.stored_embeddings import embed_stored
from cass.transforms.views import MakeViews
from cass.types import Task

if TYPE_CHECKING:
    import pandas as pd

AUGMENTED = 256
CHEAP = 512
"""Embeddings that take no time worth saving."""


@dataclass(frozen=True)
class WatchData:
    """The fixed images that the watch looks at.

    Attributes:
        images: The decoded images.
        rows: N rows of validation images.
        make_views: The augmentation that embeddings should withstand.
        labelled: Which of them have a label (N,).
        targets: Labels of those, 0 and 1, K columns; None where too few images have one.
        bank: L rows of labelled training images that the probe looks its neighbours up in, or None.
        bank_targets: Their labels (L, K).
        task: Multi-class or multi-label.
        neighbours: Neighbours of the probe.
        seed: Seed of the two augmentations.
        epoch_images: Images of an epoch of training.
    """

    images: Images
    rows: NDArray[np.int64]
    make_views: MakeViews
    labelled: NDArray[np.bool_]
    targets: NDArray[np.uint8] | None
    bank: NDArray[np.int64] | None
    bank_targets: NDArray[np.uint8] | None
    task: Task
    neighbours: int
    seed: int
    epoch_images: int

    @property
    def embeddings(self) -> int:
        """Embeddings that a measurement takes of each branch."""
        bank = 0 if self.bank is None else len(self.bank)
        return len(self.rows) + bank + 2 * min(AUGMENTED, len(self.rows))

    @property
    def chance(self) -> float:
        """Balanced accuracy of guessing: one over the classes, or one half where each label is a yes or no."""
        if self.targets is None or self.task == "multilabel":
            return 0.5
        return 1.0 / max(1, int((self.targets.sum(axis=0) > 0).sum()))


def _embed(branch: Branch, data: WatchData, rows: NDArray[np.int64], *, augmentation: int | None = None) -> Tensor:
    """Embed images of the watch, in 32-bit floats whatever the run's precision: bf16 rounding is itself a spread.

    Args:
        branch: The branch.
        data: What the images are taken from.
        rows: N rows.
        augmentation: Number of an augmentation to embed, or None for the images as they are.

    Returns:
        Embeddings (N, D) on the CPU.
    """

    def augment(images: Tensor, batch: Batch) -> Tensor:
        if augmentation is None:
            return images
        return data.make_views(images, derive_seed(data.seed, "watch", augmentation), batch.rows.numpy())[0]

    with torch.compiler.set_stance("force_eager"):
        images = StoredImages(data.images, rows)
        return embed_stored(branch, images, device=branch.mean.device, augment=augment)


def read_branch(branch: Branch, data: WatchData) -> Reading:
    """Measure one branch.

    Args:
        branch: The branch; its mode and weights are left as they were.
        data: The images to look at.

    Returns:
        What was measured; the probe is NaN without labels.
    """
    embeddings = _embed(branch, data, data.rows)
    knn = float("nan")
    if data.targets is not None and data.bank is not None and data.bank_targets is not None:
        knn = knn_balanced_accuracy(
            _embed(branch, data, data.bank).numpy(),
            data.bank_targets,
            embeddings.numpy()[data.labelled],
            data.targets,
            k=data.neighbours,
            task=data.task,
        )
    augmented = data.rows[:AUGMENTED]
    return Reading(
        spread=spread(embeddings),
        effective_rank=effective_rank(embeddings),
        between_image_share=between_image_share(
            _embed(branch, data, augmented, augmentation=1),
            _embed(branch, data, augmented, augmentation=2),
        ),
        knn_balanced_accuracy=knn,
    )


class CollapseWatch(pl.Callback):
    """Measures every branch after the epochs and warns as soon as one is found to have collapsed.

    Embedding must not take longer than training: where an epoch has fewer images than a measurement embeds, only
    as many epochs are measured as keeps the images embedded below those trained on, and the last one always is.

    Args:
        branches: The branches by name.
        data: The images to look at.
        say: Function that shows a line to the user.
    """

    def __init__(self, branches: dict[str, Branch], data: WatchData, *, say: Any) -> None:
        self.branches = branches
        self.data = data
        self.say = say
        self.history: list[dict[str, Any]] = []
        self._epoch = 0
        self.final: dict[str, Any] | None = None

    def measure(self, epoch: int) -> dict[str, Reading]:
        """Measure all branches now and enter it in the history.

        Args:
            epoch: Epochs done.

        Returns:
            The readings by branch.
        """
        readings = {name: read_branch(branch, self.data) for name, branch in self.branches.items()}
        self.history.append({"epoch": epoch} | {name: reading.to_dict() for name, reading in readings.items()})
        return readings

    def measure_final(self) -> None:
        """Measure the weights that are saved, which averaging makes others than the last epoch's."""
        self.measure(self.history[-1]["epoch"])
        self.final = self.history.pop()

    def readings(self, name: str) -> list[Reading]:
        """Return the readings of a branch: the start, each epoch, and the saved weights once measured."""
        entries = self.history if self.final is None else [*self.history, self.final]
        return [Reading(**entry[name]) for entry in entries]

    def table(self, rows: list[dict[str, Any]]) -> pd.DataFrame:
        """Join the readings, the start's among them, with the losses of all epochs.

        Args:
            rows: One row an epoch, with ``epoch`` and ``train/loss``.

        Returns:
            A row an epoch from 0, with ``epoch``, ``loss`` and ``{branch}/{measure}``.
        """
        import pandas as pd

        measured = pd.DataFrame(
            {"epoch": entry["epoch"]}
            | {f"{name}/{key}": value for name in self.branches for key, value in entry[name].items()}
            for entry in self.history
        )
        losses = pd.DataFrame({"epoch": row["epoch"], "loss": row.get("train/loss")} for row in rows)
        return measured.merge(losses, on="epoch", how="outer")

    def describe(self) -> list[str]:
        """Return the readings of the last epoch in short, one text a branch, where it was measured."""
        if not self.history or self.history[-1]["epoch"] != self._epoch:
            return []
        return [
            f"{name}: spread {reading.spread:.3f} rank {reading.effective_rank:.0f} "
            f"kNN {reading.knn_balanced_accuracy:.2f}"
            for name in self.branches
            for reading in self.readings(name)[-1:]
        ]

    def verdict(self, name: str) -> CollapseVerdict:
        """Judge a branch by its last reading."""
        readings = self.readings(name)
        return verdict(readings[0], readings[-1], chance=self.data.chance, images=len(self.data.rows))

    def on_train_start(self, trainer: pl.Trainer, _: pl.LightningModule) -> None:
        """Measure the start, unless this is a run that continues."""
        if not self.history and trainer.is_global_zero:
            self.measure(0)

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Measure the epoch's last weights, log them, and warn about a branch that has collapsed."""
        if not trainer.is_global_zero:
            return
        self._epoch = trainer.current_epoch + 1
        due = self._is_due(last=trainer.max_epochs)
        readings = self.measure(self._epoch) if due else {}
        for name in self.branches:
            values = readings[name].to_dict() if due else dict.fromkeys(self.history[-1][name], float("nan"))
            for key, value in values.items():
                module.log(f"{name}/{key}", value, rank_zero_only=True)
            if due and (judged := self.verdict(name)).collapsed:
                self.say(f"The {name} branch has COLLAPSED by epoch {self._epoch}: {judged.reason}.")

    def _is_due(self, *, last: int | None) -> bool:
        """Tell whether this epoch is measured."""
        trained = (self._epoch - self.history[-1]["epoch"]) * self.data.epoch_images
        return self._epoch == last or self.data.embeddings <= max(trained, CHEAP)

    def state_dict(self) -> dict[str, Any]:
        """Return the history, for checkpoints."""
        return {"history": self.history}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the history of the run that continues."""
        self.history = list(state_dict["history"])
        self._epoch = self.history[-1]["epoch"]
