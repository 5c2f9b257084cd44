"""Settings of ``cass embed``."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from cass.config.shared import DATA, RESUME, ColumnSettings, ComputeSettings, Source
from cass.config.verbs import verb
from cass.types import Branches


@verb(
    "embed",
    resolver="cass.resolve.trained:resolve_embed",
    order=70,
    arguments={"run": "RUN", "data": "IMAGES"},
    summary="Write the embeddings of images to a Parquet file or a folder of Parquet shards.",
    example="cass embed runs/pretrain scans/ --out embeddings.parquet",
    returns="The file or folder, the number of images, and the unreadable files.",
)
class EmbedConfig(ColumnSettings, ComputeSettings):
    """Settings of ``cass embed``."""

    run: Path = Field(description="Run folder of cass pretrain or cass finetune.")
    data: Source = Field(description=DATA)
    out: Path = Field(
        description="Output: a file if the name ends in .parquet, otherwise a folder of Parquet shards."
    )
    branch: Branches = Field("both", description="Branches whose embeddings are written.")
    batch_size: int = Field(64, ge=1, description="Images per batch.")
    resume: bool = Field(False, description=RESUME)
