"""Settings of ``cass split``."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, field_validator

from cass.config.shared import DATA, LabelSettings, Source
from cass.config.verbs import verb


@verb(
    "split",
    resolver="cass.resolve.split:resolve_split",
    order=30,
    arguments={"data": "IMAGES"},
    summary="Write splits that keep patients, copies and near-duplicates together.",
    example="cass split labels.csv --out safe.csv",
    returns="The CSV file and the number of images in each split.",
)
class SplitConfig(LabelSettings):
    """Settings of ``cass split``."""

    data: Source = Field(description=DATA)
    out: Path = Field(description="CSV file to write; must not exist.")
    ratios: tuple[float, float, float] = Field((0.7, 0.1, 0.2), description="Shares of train, val and test.")
    seed: int = Field(0, ge=0, lt=2**31, description="Seed; the same seed gives the same splits.")

    @field_validator("ratios")
    @classmethod
    def _shares(cls, value: tuple[float, float, float]) -> tuple[float, float, float]:
        if min(value) <= 0:
            raise ValueError("give three shares above 0, such as 0.7, 0.1 and 0.2")
        return value
