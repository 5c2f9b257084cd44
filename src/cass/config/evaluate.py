"""Settings of ``cass evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from cass.config.shared import LABELS, CacheSettings, ComputeSettings, LabelSettings, Source
from cass.config.verbs import verb


@verb(
    "evaluate",
    resolver="cass.resolve.trained:resolve_evaluate",
    order=60,
    arguments={"run": "RUN"},
    summary="Evaluate fine-tuned branches on held-out images, with 95% confidence intervals.",
    example="cass evaluate runs/tuned --labels labels.csv --split test",
    returns="A report for each branch and for the mean of their probabilities.",
)
class EvaluateConfig(LabelSettings, CacheSettings, ComputeSettings):
    """Settings of ``cass evaluate``."""

    run: Path = Field(description="Run folder of cass finetune.")
    labels: Source = Field(description=LABELS)
    split: Literal["train", "val", "test"] = Field(
        "test",
        description="Split to evaluate on. Images that the run has never seen are test images, unless the data "
        "has splits of its own.",
    )
    out: Path | None = Field(
        None,
        description="Folder to write; default: evaluation/SPLIT in the run, or evaluation/NAME of the data if the "
        "run knows none of its images.",
    )
    batch_size: int = Field(64, ge=1, description="Images per batch.")
    resamples: int = Field(
        1000, ge=100, le=100_000, description="Bootstrap resamples for the confidence intervals."
    )
    seed: int = Field(0, ge=0, lt=2**31, description="Seed of the bootstrap.")
