"""Settings of ``cass predict``."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from cass.config.shared import DATA, RESUME, ComputeSettings


class PredictConfig(ComputeSettings):
    """Settings of ``cass predict``."""

    run: Path = Field(description="Run folder of cass finetune.")
    data: str = Field(description=DATA)
    out: Path = Field(
        description="What to write: one file where the name ends in .csv or .parquet, else a folder of Parquet "
        "shards."
    )
    batch_size: int = Field(64, ge=1, description="Images at a time.")
    resume: bool = Field(False, description=RESUME)
