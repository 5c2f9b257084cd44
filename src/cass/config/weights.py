"""Settings of ``cass weights``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from cass.config.base import Settings
from cass.config.verbs import verb
from cass.config.wording import split_values


@verb(
    "weights",
    resolver="cass.resolve.weights:resolve_weights",
    order=35,
    arguments={"networks": "NETWORKS"},
    summary="Download pretrained weights, to carry to a machine without internet.",
    example="cass weights resnet50,vit_base_patch16_224 --out weights",
    returns="The weight files.",
)
class WeightsConfig(Settings):
    """Settings of ``cass weights``."""

    networks: tuple[str, ...] = Field(min_length=1, description="timm model names, separated by commas.")
    out: Path = Field(description="Folder to write to; files that it has are kept.")

    @field_validator("networks", mode="before")
    @classmethod
    def _names(cls, value: Any) -> Any:
        return split_values(value) if isinstance(value, str) else value
