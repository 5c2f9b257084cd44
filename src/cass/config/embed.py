"""Settings of ``cass embed``."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from cass.config.shared import DATA, RESUME, ComputeSettings
from cass.types import Branches


class EmbedConfig(ComputeSettings):
    """Settings of ``cass embed``."""

    run: Path = Field(description="Run folder of cass pretrain or cass finetune.")
    data: str = Field(description=DATA)
    out: Path = Field(
        description="What to write: one file where the name ends in .parquet, else a folder of Parquet shards."
    )
    branch: Branches = Field("both", description="Branch whose embeddings are written.")
    batch_size: int = Field(64, ge=1, description="Images at a time.")
    resume: bool = Field(False, description=RESUME)
