"""Settings of ``cass select``."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from cass.config.shared import DATA, ComputeSettings, LabelSettings, Source
from cass.config.verbs import verb


@verb(
    "select",
    resolver="cass.resolve.select:resolve_select",
    order=75,
    arguments={"run": "RUN", "data": "IMAGES"},
    summary="Choose which images to label next: typical ones, different from each other, and disputed ones.",
    example="cass select runs/pretrain scans/ --budget 50 --out to_label.csv",
    returns="The CSV and the chosen images.",
)
class SelectConfig(LabelSettings, ComputeSettings):
    """Settings of ``cass select``."""

    run: Path = Field(description="Run folder of cass pretrain, or of cass finetune once there are labels.")
    data: Source = Field(description=DATA)
    out: Path = Field(description="CSV file to write: the images in the order in which to label them.")
    budget: int = Field(50, ge=1, description="Number of images to choose.")
    batch_size: int = Field(64, ge=1, description="Images per batch.")
    seed: int = Field(0, ge=0, lt=2**31, description="Seed of the clusters.")
