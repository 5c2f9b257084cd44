"""Settings of ``cass report``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from cass.config.base import Settings
from cass.config.verbs import verb
from cass.config.wording import split_values


@verb(
    "report",
    resolver="cass.resolve.report:resolve_report",
    order=78,
    arguments={"runs": "RUNS"},
    summary="Write what a fine-tuned run can and cannot do as one HTML page; several runs are compared.",
    example="cass report runs/tuned --out report.html",
    returns="The page.",
)
class ReportConfig(Settings):
    """Settings of ``cass report``."""

    runs: tuple[Path, ...] = Field(
        min_length=1,
        description="Run folders of cass finetune, evaluated with cass evaluate; several separated by commas. The "
        "first is shown in full.",
    )
    out: Path = Field(description="HTML file to write.")
    audit: Path | None = Field(
        None, description="What cass audit --json wrote of the data set; its findings are shown."
    )
    images: bool = Field(
        True, description="Show the pictures of the worst errors, with heat maps; they stay inside the page."
    )
    overwrite: bool = Field(False, description="Replace an existing file.")

    @field_validator("runs", mode="before")
    @classmethod
    def _several(cls, value: Any) -> Any:
        if isinstance(value, Path):
            return (value,)
        return split_values(value) if isinstance(value, str) else value
