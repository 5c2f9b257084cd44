"""Settings of ``cass finetune``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from cass.config.shared import (
    LABELS,
    RESUME_RUN,
    CacheSettings,
    GuardSettings,
    LabelSettings,
    Source,
    TrainSettings,
)
from cass.config.verbs import verb
from cass.types import Branches


class TuneSettings(TrainSettings):
    """How a branch is fine-tuned; shared by ``cass finetune`` and ``cass compare``."""

    branch: Branches = Field(
        "both", description="Branch to fine-tune; both also reports the mean of their probabilities."
    )
    head: Literal["full", "linear"] = Field(
        "full",
        description="linear: a linear probe, a logistic regression on the embeddings of the frozen backbone, in "
        "seconds; training settings (views, epochs, min-steps, patience, batch-size, lr and so on) "
        "have no effect. full: the linear probe, then fine-tuning of the whole network from there.",
    )
    unlabelled: Literal["auto", "on", "off"] = Field(
        "off",
        description="Use of the unlabelled training images. off: none; auto: both branches label them for each "
        "other (pseudo-labels), unless held-out labels show that this does not help; on: always.",
    )
    loss: Literal["focal", "cross_entropy", "bce"] = Field(
        "focal", description="Training loss; on multi-label sets, focal and bce use sigmoids."
    )
    focal_alpha: float = Field(1.0, gt=0, description="Alpha (scale) of the focal loss.")
    focal_gamma: float = Field(2.0, ge=0, description="Gamma (exponent) of the focal loss; 0 is cross-entropy.")
    balance: Literal["weights", "sampling", "none"] = Field(
        "weights",
        description="Class imbalance: weights (loss weighted by inverse class frequency), sampling (every class "
        "drawn equally often; multi-label sets use weights instead), or none.",
    )
    views: str | None = Field(
        None,
        description="View recipe used for training augmentation; default: that of pretraining if it was "
        "radiology, microscopy or dermoscopy, otherwise paper.",
    )
    epochs: int = Field(
        50, ge=1, description="Maximum epochs; an epoch is a pass over the labelled training images."
    )
    min_steps: int = Field(
        10,
        ge=1,
        description="Minimum steps per epoch: with few labels, an epoch repeats them, so that patience does not "
        "depend on their number.",
    )
    patience: int = Field(5, ge=1, description="Epochs without a lower validation loss before stopping.")
    batch_size: int = Field(16, ge=2, description="Images per step.")
    lr: float = Field(1e-4, gt=0, le=10, description="Peak learning rate (of the head).")
    layer_decay: float = Field(
        0.75,
        gt=0,
        le=1,
        description="Layer-wise learning rate decay, from each layer to the one before it; 1: the same rate for "
        "all layers.",
    )
    tuned_share: float = Field(
        1.0,
        gt=0,
        le=1,
        description="Share of the layers to train besides the head, counted from the input; the layers after them "
        "are frozen.",
    )
    warmup: float = Field(
        0.05, ge=0, lt=1, description="Share of all steps used for learning rate warm-up; cosine decay follows."
    )
    weight_decay: float = Field(
        0.01, ge=0, le=10, description="Weight decay; not applied to biases and normalisation layers."
    )
    seed: int = Field(0, ge=0, lt=2**31, description="Seed of the labelled subset and of training.")


@verb(
    "finetune",
    resolver="cass.resolve.finetune:resolve_finetune",
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
        1.0,
        gt=0,
        le=1,
        description="Share of the labels to use, in (0, 1]: of the training and of the validation images.",
    )
    without_pretraining: bool = Field(
        False,
        description="Start from the initial weights of the pretraining run instead, to measure the effect of "
        "pretraining.",
    )
    resume: bool = Field(False, description=RESUME_RUN)
