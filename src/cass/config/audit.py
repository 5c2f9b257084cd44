"""Settings of ``cass audit``."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from cass.config.shared import DATA, ComputeSettings, LabelSettings


class AuditConfig(LabelSettings, ComputeSettings):
    """Settings of ``cass audit``."""

    data: str = Field(description=DATA)
    run: Path | None = Field(
        None,
        description="Run folder of cass pretrain or cass finetune, whose networks then look for look-alikes and "
        "for labels that are doubtful.",
    )
    json_file: Path | None = Field(None, description="JSON file to write with all that was found.")
    html: Path | None = Field(None, description="HTML page to write, with small pictures of what was found.")
    seed: int = Field(
        0, ge=0, lt=2**31, description="Seed of cross-validation, and of splits where none are given."
    )
