"""Settings of ``cass predict``."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from cass.config.shared import DATA, RESUME, ColumnSettings, ComputeSettings, Source
from cass.config.verbs import verb


@verb(
    "predict",
    resolver="cass.resolve.trained:resolve_predict",
    order=80,
    arguments={"run": "RUN", "data": "IMAGES"},
    summary="Write the predictions of fine-tuned branches to a CSV file, a Parquet file or a folder of shards.",
    example="cass predict runs/tuned new-scans/ --out predictions.csv",
    returns="The file or folder, the number of images, the classes, and the unreadable files.",
)
class PredictConfig(ColumnSettings, ComputeSettings):
    """Settings of ``cass predict``."""

    run: Path = Field(description="Run folder of cass finetune.")
    data: Source = Field(description=DATA)
    out: Path = Field(
        description="Output: a file if the name ends in .csv or .parquet, otherwise a folder of Parquet shards."
    )
    sensitivity: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="Call a class from the probability on that finds this share of its images, such as 0.95, "
        "chosen on the held-out labels of the run. Adds a column called_CLASS for each class.",
    )
    batch_size: int = Field(64, ge=1, description="Images per batch.")
    resume: bool = Field(False, description=RESUME)
