"""Settings of ``cass explain``."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from cass.config.shared import DATA, ColumnSettings, ComputeSettings, Source
from cass.config.verbs import verb


@verb(
    "explain",
    resolver="cass.resolve.explain:resolve_explain",
    order=82,
    arguments={"run": "RUN", "data": "IMAGES"},
    summary="Show where both networks find the evidence for their prediction, as heat maps.",
    example="cass explain runs/tuned new-scans/ --out explained",
    returns="The folder and a row for each image.",
)
class ExplainConfig(ColumnSettings, ComputeSettings):
    """Settings of ``cass explain``."""

    run: Path = Field(description="Run folder of cass finetune.")
    data: Source = Field(description=DATA)
    out: Path = Field(
        description="Folder to write; must be new or empty. index.html shows all heat maps side by side."
    )
    label: str | None = Field(None, description="Class to explain; default: the predicted class of each image.")
    limit: int = Field(50, ge=1, le=1000, description="Most images; of more, the first are explained.")
    batch_size: int = Field(16, ge=1, description="Images per batch.")
