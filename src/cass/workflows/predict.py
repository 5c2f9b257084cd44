"""``cass predict``: write the predictions of fine-tuned branches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cass.config.predict import PredictConfig
from cass.evaluation.ensemble import ensemble
from cass.evaluation.probabilities import probabilities
from cass.listing import plural
from cass.reports.lines import unreadable_files
from cass.resolve.trained import ResolvedPredict, resolve_predict
from cass.runs.inference import Chunk, load_branches
from cass.runs.predictions import (
    add_called,
    add_safeguards,
    is_text_column,
    mean_temperature,
    prediction_table,
    thresholds_of,
)
from cass.runs.rows import write_rows


@dataclass(frozen=True)
class PredictResult:
    """Written predictions.

    Attributes:
        out: The CSV or Parquet file, or the folder of Parquet shards.
        images: Number of images in it.
        classes: Names of the classes.
        unreadable: Reason by name of each unreadable image.
        called: Probability from which on a class is called, by class, where a sensitivity was stated.
    """

    out: Path
    images: int
    classes: tuple[str, ...]
    unreadable: dict[str, str]
    called: dict[str, float]


def run_predict(config: PredictConfig, resolved: ResolvedPredict | None = None) -> PredictResult:
    """Write the predictions of fine-tuned branches to a CSV or Parquet file, or to a folder of shards.

    Each row holds ``image``, ``prediction``, how much the branches doubt, whether to refer the image to a reader,
    the classes that cannot be ruled out, and a probability for each class: the mean over the branches, then those
    of each branch. ``called_CLASS`` tells whether a class reaches the operating point of the stated sensitivity.
    Multi-label predictions are the names, joined by ``|``, whose probability reaches the threshold
    that fine-tuning chose on the validation images. Memory does not grow with the number of images.

    Args:
        config: Settings of ``cass predict``.
        resolved: What :func:`resolve_predict` returned; None calls it.

    Returns:
        What was written.

    Raises:
        CassError: The run, the images or the output cannot be used.
        KeyboardInterrupt: It was stopped; ``resume`` continues.
    """
    import pyarrow as pa

    rows = resolved or resolve_predict(config)
    classes, task = tuple(rows.summary["classes"]), rows.summary["task"]
    branches = load_branches(config.run, "both")
    thresholds = thresholds_of(rows.summary, *branches)
    temperature = mean_temperature(rows.summary)
    safeguards = rows.summary.get("safeguards")  # runs of an earlier version have none

    def frame_of(names: list[str], outputs: dict[str, Any]) -> Any:
        mean = ensemble(outputs, task=task, temperature=temperature)
        frame = prediction_table(names, mean, classes=classes, task=task, thresholds=thresholds)
        frame = add_safeguards(frame, mean, outputs, classes=classes, task=task, safeguards=safeguards)
        return add_called(frame, rows.called)

    nothing = {name: np.zeros((0, len(classes)), np.float32) for name in branches}
    columns = [str(name) for name in frame_of([], nothing).columns]
    schema = pa.schema([(name, pa.string() if is_text_column(name) else pa.float32()) for name in columns])

    def tabulate(chunk: Chunk) -> Any:
        return pa.Table.from_pandas(frame_of(chunk.names, chunk.outputs), schema=schema, preserve_index=False)

    written = write_rows(
        rows.target,
        rows.root,
        rows.images,
        command="predict",
        config=config,
        branches=branches,
        output=lambda branch, images: probabilities(branch(images), task=task),
        schema=schema,
        tabulate=tabulate,
    )
    return PredictResult(config.out, written.images, classes, written.unreadable, rows.called)


def show(result: PredictResult, config: PredictConfig) -> Iterator[str]:
    """Yield what the command prints."""
    classes, count = ", ".join(result.classes), plural(result.images, "image")
    for name, threshold in result.called.items():
        yield f"{name}: called from a probability of {threshold:.3f}, for a sensitivity of {config.sensitivity:g}"
    yield f"Wrote {result.out}: {count}, classes {classes}{unreadable_files(result.unreadable)}"
