"""Settings of ``cass pretrain``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from cass.config.shared import (
    DATA,
    RESUME_RUN,
    CacheSettings,
    GuardSettings,
    LabelSettings,
    Source,
    TrainSettings,
)
from cass.config.verbs import verb
from cass.types import Branches


@verb(
    "pretrain",
    resolver="cass.resolve.pretrain:resolve_pretrain",
    forecaster="cass.workflows.pretrain:forecast_pretrain",
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
        description="Loss to train with, if the method has several; default: chosen by the method.",
    )
    method_config: dict[str, Any] = Field(
        default_factory=dict, description="Settings of the method, as YAML: '{width: 1000}'."
    )
    branch: Branches = Field(
        "both", description="Branch to pretrain; cass needs both, other methods train each branch separately."
    )
    cnn: str = Field("resnet50", description="CNN branch: any timm convolutional network.")
    transformer: str = Field(
        "vit_base_patch16_224", description="Transformer branch: any timm vision Transformer."
    )
    cnn_weights: Source = Field(
        "imagenet",
        description="Initial weights of the CNN: 'imagenet' (timm's weights, downloaded), 'none' (randomly "
        "initialised), or a safetensors file or a folder that contains one.",
    )
    transformer_weights: Source = Field(
        "imagenet", description="Initial weights of the Transformer: 'imagenet', 'none', or a file or folder."
    )
    cnn_args: dict[str, Any] = Field(
        default_factory=dict, description="Additional timm arguments of the CNN, as YAML."
    )
    transformer_args: dict[str, Any] = Field(
        default_factory=dict, description="Additional timm arguments of the Transformer, as YAML: '{depth: 6}'."
    )
    in_chans: int = Field(3, ge=1, le=64, description="Image channels; grey images are repeated to fill 3.")
    image_size: int = Field(224, ge=16, le=4096, description="Width and height of the images, in pixels.")
    normalization: Literal["auto", "backbone", "data"] = Field(
        "auto",
        description="Channel mean and standard deviation: of the pretrained backbone, of the training images "
        "(data), or auto (backbone for 8-bit images with pretrained weights, otherwise data).",
    )
    views: str | None = Field(None, description="View recipe; default: chosen by the method ('general' for cass).")
    epochs: int = Field(100, ge=1, description="Passes over the training images.")
    batch_size: Annotated[int, Field(ge=2)] | Literal["auto"] = Field(
        16,
        description="Images per step, over all devices; auto: the largest power of two that fits into GPU memory,"
        " or 16 on a CPU.",
    )
    devices: Annotated[int, Field(ge=1)] | Literal["auto"] = Field(
        "auto",
        description="Processes per machine, one per GPU; auto: all GPUs, or as many as torchrun or SLURM started;"
        " one on a CPU.",
    )
    nodes: Annotated[int, Field(ge=1)] | Literal["auto"] = Field(
        "auto", description="Number of machines; auto: as many as torchrun or SLURM started, otherwise one."
    )
    optimizer: Literal["adam", "adamw"] | None = Field(
        None, description="Optimiser; default: chosen by the method."
    )
    lr: float | None = Field(None, gt=0, le=10, description="Peak learning rate; default: chosen by the method.")
    weight_decay: float | None = Field(
        None, ge=0, le=10, description="Weight decay; default: chosen by the method."
    )
    warmup: float | None = Field(
        None,
        ge=0,
        lt=1,
        description="Share of all steps used for learning rate warm-up; default: chosen by the method.",
    )
    batch_norm: Literal["frozen", "adapted", "live"] = Field(
        "frozen",
        description="Batch-norm statistics of pretrained networks: frozen (kept as pretrained), adapted "
        "(estimated once on the training images, then kept) or live (those of each batch). Randomly initialised "
        "networks always use live statistics.",
    )
    layer_decay: float = Field(
        0.75,
        gt=0,
        le=1,
        description="Layer-wise learning rate decay of pretrained networks, from each layer to the one before it; "
        "1: the same rate for all layers.",
    )
    cnn_rate: float = Field(
        5.0, gt=0, le=100, description="Learning rate of the CNN and its heads, relative to the Transformer's."
    )
    schedule_steps: int | None = Field(
        None,
        ge=1,
        description="Half period, in steps, of a cosine schedule without warm-up that rises again afterwards; "
        "default: one decay over the whole run.",
    )
    averaging_start: float = Field(
        0.75,
        ge=0,
        le=1,
        description="Share of the run after which the weights at the end of each epoch are averaged; the average "
        "is saved. 1: save the last weights.",
    )
    watch_images: int = Field(1000, ge=32, description="Maximum validation images for the collapse watch.")
    watch_neighbours: int = Field(20, ge=1, description="Neighbours in the kNN probe of the collapse watch.")
    seed: int = Field(0, ge=0, lt=2**31, description="Seed of all randomness.")
    resume: bool = Field(False, description=RESUME_RUN)
