"""Settings of ``cass audit``."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from cass.config.shared import DATA, ComputeSettings, LabelSettings, Source
from cass.config.verbs import verb


@verb(
    "audit",
    resolver="cass.resolve.trained:resolve_audit",
    order=20,
    arguments={"data": "IMAGES"},
    summary="Check a set of images before training: files, copies, leakage, shortcuts and labels.",
    example="cass audit labels.csv --html audit.html",
    returns="What was found; `audit.serious` tells whether results on this set would be wrong.",
)
class AuditConfig(LabelSettings, ComputeSettings):
    """Settings of ``cass audit``."""

    data: Source = Field(description=DATA)
    run: Path | None = Field(
        None,
        description="Run folder of cass pretrain or cass finetune; adds near-duplicates and doubtful labels by "
        "embedding.",
    )
    json_file: Path | None = Field(None, description="JSON file to write, with all findings.")
    html: Path | None = Field(None, description="HTML report to write, with thumbnails.")
    overwrite: bool = Field(
        False, description="Replace existing reports; the images and labels are never replaced."
    )
    seed: int = Field(
        0, ge=0, lt=2**31, description="Seed of the cross-validation, and of the splits if none are given."
    )
