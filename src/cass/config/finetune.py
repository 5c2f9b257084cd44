"""Settings of ``cass finetune``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from cass.config.shared import LABELS, CacheSettings, GuardSettings, LabelSettings, Source, TrainSettings
from cass.config.verbs import verb
from cass.types import Branches


class TuneSettings(TrainSettings):
    """How a branch is fine-tuned; shared by ``cass finetune`` and ``cass compare``."""

    branch: Branches = Field("both", description="Branch to fine-tune; both also reports their mean.")
    head: Literal["full", "linear"] = Field(
        "full",
        description="linear: a logistic regression on the frozen backbone's embeddings, in seconds; what steers "
        "training (views, epochs, min-steps, patience, batch-size, lr and the like) then does nothing. full: "
        "that, then training of the whole network from there.",
    )
    loss: Literal["focal", "cross_entropy", "bce"] = Field(
        "focal", description="Loss of training; focal and bce use sigmoids for multi-label sets."
    )
    focal_alpha: float = Field(1.0, gt=0, description="Factor of the focal loss.")
    focal_gamma: float = Field(2.0, ge=0, description="Exponent of the focal loss; 0 is cross-entropy.")
    balance: Literal["weights", "sampling", "none"] = Field(
        "weights",
        description="How rare classes count: weights in the loss by inverse frequency, sampling of every class "
        "equally often (multi-label sets get weights instead), or none.",
    )
    views: str = Field("paper", description="Recipe of the training augmentation.")
    epochs: int = Field(50, ge=1, description="Most epochs; one is a pass over the labelled training images.")
    min_steps: int = Field(
        10,
        ge=1,
        description="Fewest steps of an epoch: with few labels an epoch passes over them repeatedly, so that "
        "patience means the same whatever their number.",
    )
    patience: int = Field(5, ge=1, description="Epochs without a lower validation loss before stopping.")
    batch_size: int = Field(16, ge=2, description="Images a step.")
    lr: float = Field(1e-4, gt=0, le=10, description="Peak learning rate, that of the head.")
    layer_decay: float = Field(
        0.75,
        gt=0,
        le=1,
        description="Factor on the learning rate from each layer to the one before it; 1 is one rate for all.",
    )
    tuned_share: float = Field(
        1.0, gt=0, le=1, description="Share of the layers, from the input on, that is trained beside the head."
    )
    warmup: float = Field(
        0.05, ge=0, lt=1, description="Share of all steps that the learning rate rises over; then it falls."
    )
    weight_decay: float = Field(0.01, ge=0, le=10, description="Weight decay; biases and norms have none.")
    seed: int = Field(0, ge=0, lt=2**31, description="Seed of the labelled subset and of training.")


@verb(
    "finetune",
    order=50,
    arguments={"run": "RUN"},
    summary="Train pretrained branches on a fraction of the labels.",
    example="cass finetune runs/pretrain --labels labels.csv --out runs/tuned --label-fraction 0.1",
    returns="The run folder and its summary.",
)
class FinetuneConfig(LabelSettings, CacheSettings, GuardSettings, TuneSettings):
    """Settings of ``cass finetune``."""

    run: Path = Field(description="Run folder of cass pretrain.")
    labels: Source = Field(description=LABELS)
    out: Path = Field(description="Run folder to write; must be new or empty.")
    label_fraction: float = Field(
        1.0, gt=0, le=1, description="Share of the labelled training images to use, in (0, 1]."
    )
    without_pretraining: bool = Field(
        False,
        description="Start from the weights that the pretraining run itself started from: the comparison that "
        "tells what pretraining gave.",
    )
