"""``cass predict``: write the predictions of fine-tuned branches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cass.config.base import build_config
from cass.config.predict import PredictConfig
from cass.errors import OutputError
from cass.evaluation.metrics import predicted_labels
from cass.evaluation.probabilities import probabilities
from cass.runs.folder import read_summary
from cass.runs.inference import Chunk, load_branches
from cass.runs.rows import choose_target, write_rows
from cass.types import Task


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


def finetuned_summary(run: Path) -> dict[str, Any]:
    """Read the summary of a fine-tuned run.

    Raises:
        OutputError: Where the folder is none of ``cass finetune``.
    """
    summary = read_summary(run, written_by="cass finetune")
    if summary.get("kind") != "finetune":
        raise OutputError(f"{run} is not a run of cass finetune", "Fine-tune it first: cass finetune.")
    return summary


def thresholds_of(summary: dict[str, Any], *branches: str) -> list[float] | None:
    """Find the thresholds that fine-tuning chose for a multi-label set.

    Args:
        summary: Summary of the run.
        branches: One branch, or both for their mean probabilities.

    Returns:
        One for each class; None for multi-class sets and runs that chose none, where 0.5 holds.
    """
    if len(branches) == 1:
        found: list[float] | None = summary.get("branches", {}).get(branches[0], {}).get("thresholds")
        return found
    found = summary.get("thresholds_of_the_mean")
    return found


def prediction_table(
    names: list[str],
    probability: NDArray[np.float32],
    *,
    classes: tuple[str, ...],
    task: Task,
    thresholds: Sequence[float] | None = None,
) -> Any:
    """Lay predictions out as a table.

    Args:
        names: Names of n images.
        probability: (n, K) in [0, 1].
        classes: K names.
        task: Multi-class or multi-label.
        thresholds: (K,) in [0, 1], for multi-label; None is 0.5 for all.

    Returns:
        A pandas frame with ``image``, ``prediction`` and ``probability_{class}``.
    """
    import pandas as pd

    if task == "multiclass":
        predicted = [classes[index] for index in probability.argmax(axis=1)]
    else:
        chosen = predicted_labels(probability, task=task, thresholds=thresholds)
        predicted = ["|".join(np.array(classes)[row].tolist()) for row in chosen]
    columns = {f"probability_{name}": probability[:, index].round(6) for index, name in enumerate(classes)}
    return pd.DataFrame({"image": names, "prediction": predicted} | columns)
