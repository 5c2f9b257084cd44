"""Settings of ``cass benchmark speed``."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from cass.config.shared import DATA, ComputeSettings, Source
from cass.config.verbs import verb


@verb(
    "benchmark speed",
    resolver="cass.resolve.speed:resolve_speed",
    order=110,
    runner="cass.benchmarking.speed.run:run_benchmark_speed",
    result="SpeedResult",
    summary="Time pretraining against the networks alone, the published loop and other methods.",
    example="cass benchmark speed --image-size 98 --json speed.json",
    returns="The times, their ratios, and the conditions of the measurement.",
)
class SpeedConfig(ComputeSettings):
    """Settings of ``cass benchmark speed``."""

    data: Source = Field("generated", description=DATA)
    cnn: str = Field("efficientnet_lite0", description="CNN branch: any timm convolutional network.")
    transformer: str = Field(
        "vit_small_patch14_dinov2", description="Transformer branch: any timm vision Transformer."
    )
    cnn_args: dict[str, Any] = Field(default_factory=dict, description="Additional timm arguments, as YAML.")
    transformer_args: dict[str, Any] = Field(
        default_factory=dict, description="Additional timm arguments, as YAML."
    )
    image_size: int = Field(98, ge=16, le=4096, description="Width and height of the images, in pixels.")
    batch_size: int = Field(16, ge=2, description="Images per step.")
    compile: Literal["on", "off"] = Field("off", description="torch.compile for the training step of cass.")
    steps: int = Field(6, ge=1, description="Steps per method and round; slow methods run a third of them.")
    rounds: int = Field(3, ge=1, description="Rounds; methods take turns, and the median over rounds is reported.")
    json_file: Path | None = Field(None, description="JSON file to write, with all measurements.")
    seed: int = Field(0, ge=0, lt=2**31, description="Seed of the network weights.")
