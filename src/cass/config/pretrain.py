"""Settings of ``cass pretrain``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from cass.config.shared import DATA, CacheSettings, GuardSettings, LabelSettings, Source, TrainSettings
from cass.config.verbs import verb
from cass.types import Branches


@verb(
    "pretrain",
    order=40,
    arguments={"data": "IMAGES"},
    summary="Train a CNN and a Transformer together, without labels, on all training images.",
    example="cass pretrain scans/ --out runs/pretrain --epochs 50",
    returns="The run folder and its summary.",
)
class PretrainConfig(LabelSettings, CacheSettings, GuardSettings, TrainSettings):
    """Settings of ``cass pretrain``."""

    data: Source = Field(description=DATA)
    out: Path = Field(description="Run folder to write; must be new or empty.")
    method: str = Field("cass", description="Pretraining method; cass.list_methods() names them.")
    objective: str | None = Field(
        None,
        description="Objective of a method that comes with several, such as cass; optional; default: chosen by "
        "the method.",
    )
    method_config: dict[str, Any] = Field(
        default_factory=dict, description="Settings of the method itself, as YAML: '{width: 1000}'."
    )
    branch: Branches = Field(
        "both", description="Branch to pretrain; cass itself needs both, other methods train each by itself."
    )
    cnn: str = Field("resnet50", description="CNN branch: any timm convolutional network.")
    transformer: str = Field(
        "vit_base_patch16_224", description="Transformer branch: any timm vision Transformer."
    )
    cnn_weights: Source = Field(
        "imagenet",
        description="Start of the CNN: 'imagenet' (timm's weights, downloaded), 'none' (random numbers), or a "
        "safetensors file or a folder that holds one.",
    )
    transformer_weights: Source = Field(
        "imagenet", description="Start of the Transformer: 'imagenet', 'none', or a file or folder."
    )
    cnn_args: dict[str, Any] = Field(
        default_factory=dict, description="Further timm arguments of the CNN, as YAML."
    )
    transformer_args: dict[str, Any] = Field(
        default_factory=dict, description="Further timm arguments of the Transformer, as YAML: '{depth: 6}'."
    )
    in_chans: int = Field(3, ge=1, le=64, description="Image channels; grey images are repeated to fill 3.")
    image_size: int = Field(224, ge=16, le=4096, description="Side of the square images, in pixels.")
    normalization: Literal["auto", "backbone", "data"] = Field(
        "auto",
        description="Channel mean and spread: from the pretrained backbone, from the training images, or auto "
        "(the backbone's for 8-bit images and pretrained weights, else the images').",
    )
    views: str | None = Field(
        None, description="Recipe of the augmented views; left out: the method's own ('general' for cass)."
    )
    epochs: int = Field(100, ge=1, description="Passes over the training images.")
    batch_size: Annotated[int, Field(ge=2)] | Literal["auto"] = Field(
        16,
        description="Images a step, over all devices; auto takes the largest power of two that fits into the "
        "GPU's memory, and 16 on a CPU.",
    )
    devices: Annotated[int, Field(ge=1)] | Literal["auto"] = Field(
        "auto",
        description="Processes on each machine, one a GPU: auto takes all GPUs, or as many as torchrun or SLURM "
        "started; on a CPU one.",
    )
    nodes: Annotated[int, Field(ge=1)] | Literal["auto"] = Field(
        "auto", description="Machines; auto: as many as torchrun or SLURM started, else one."
    )
    optimizer: Literal["adam", "adamw"] | None = Field(None, description="Optimiser; left out: the method's own.")
    lr: float | None = Field(None, gt=0, le=10, description="Peak learning rate; left out: the method's own.")
    weight_decay: float | None = Field(None, ge=0, le=10, description="Weight decay; left out: the method's own.")
    warmup: float | None = Field(
        None,
        ge=0,
        lt=1,
        description="Share of all steps that the learning rate rises over; left out: the method's own.",
    )
    schedule_steps: int | None = Field(
        None,
        ge=1,
        description="Half period of a cosine schedule without warm-up, in steps, after which the rate rises "
        "again; left out: the rate falls over the whole run.",
    )
    averaging_start: float = Field(
        0.75,
        ge=0,
        le=1,
        description="Share of the run after which the weights at each epoch's end are averaged; the average is "
        "what is saved. 1 saves the last weights instead.",
    )
    watch_images: int = Field(1000, ge=32, description="Most validation images that the collapse watch uses.")
    watch_neighbours: int = Field(20, ge=1, description="Neighbours of the collapse watch's kNN probe.")
    seed: int = Field(0, ge=0, lt=2**31, description="Seed of all randomness.")
    resume: bool = Field(False, description="Continue the run in the output folder from its last epoch.")
