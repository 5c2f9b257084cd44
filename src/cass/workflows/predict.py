"""``cass predict``: write the predictions of fine-tuned branches."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cass.config.base import build_config
from cass.config.predict import PredictConfig
from cass.evaluation.probabilities import probabilities
from cass.runs.inference import Chunk, load_branches
from cass.runs.predictions import finetuned_summary, prediction_table, thresholds_of
from cass.runs.rows import choose_target, write_rows


@dataclass(frozen=True)
class PredictResult:
    """Written predictions.

    Attributes:
        out: The CSV or Parquet file, or the folder of Parquet shards.
        images: Number of images in it.
        classes: Names of the classes.
        skipped: Reason by name of each image that could not be read.
    """

    out: Path
    images: int
    classes: tuple[str, ...]
    skipped: dict[str, str]


def predict(
    run: str | Path, data: str | Path, *, out: str | Path, config: str | Path | None = None, **settings: Any
) -> PredictResult:
    """Write the predictions of fine-tuned branches to a CSV or Parquet file, or to a folder of Parquet shards.

    Memory does not grow with the number of images, and what was stopped continues with ``resume=True``.

    Args:
        run: Run folder of :func:`cass.finetune`.
        data: Folder of images, CSV manifest, or ``generated``.
        out: CSV or Parquet file to write, or, by any other name, a folder of Parquet shards: a row an image
            with ``image``, ``prediction`` (multi-label: names joined by ``|``, those at their threshold or
            more, which fine-tuning chose on the validation images) and a probability a class, the mean of the
            run's branches.
        config: YAML file with further settings.
        settings: Fields of :class:`cass.config.predict.PredictConfig` by name.

    Returns:
        What was written.

    Raises:
        CassError: For anything that the user can mend, in one line.
    """
    values = settings | {"run": Path(run), "data": str(data), "out": Path(out)}
    return run_predict(build_config(PredictConfig, values, source=Path(config) if config else None))


def run_predict(config: PredictConfig) -> PredictResult:
    """Do what :func:`predict` says, with a configuration that is already checked."""
    import pyarrow as pa

    target = choose_target(config.out, files=(".csv", ".parquet"), resume=config.resume)
    summary = finetuned_summary(config.run)
    classes, task = tuple(summary["classes"]), summary["task"]
    branches = load_branches(config.run, "both")
    thresholds = thresholds_of(summary, *branches)
    schema = pa.schema(
        [
            ("image", pa.string()),
            ("prediction", pa.string()),
            *((f"probability_{name}", pa.float32()) for name in classes),
        ]
    )

    def tabulate(chunk: Chunk) -> Any:
        mean = np.mean(list(chunk.outputs.values()), axis=0)
        frame = prediction_table(chunk.names, mean, classes=classes, task=task, thresholds=thresholds)
        return pa.Table.from_pandas(frame, schema=schema, preserve_index=False)

    written = write_rows(
        target,
        command="predict",
        config=config,
        branches=branches,
        output=lambda branch, images: probabilities(branch(images), task=task),
        schema=schema,
        tabulate=tabulate,
    )
    return PredictResult(config.out, written.images, classes, written.skipped)
