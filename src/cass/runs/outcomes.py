"""A fine-tuned and evaluated run as ``cass report`` shows it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cass.config.evaluate import EvaluateConfig
from cass.config.finetune import FinetuneConfig
from cass.data.manifest.manifest import GENERATED, load_manifest
from cass.errors import CassError
from cass.runs.folder import SUMMARY, finetuned_summary, read_config, read_metrics

if TYPE_CHECKING:
    import pandas as pd

EVALUATION = Path("evaluation") / "test"
MEAN_STEM = "mean-of-both"


@dataclass(frozen=True)
class Predictions:
    """What a run answered on its test images.

    Attributes:
        branch: ``cnn``, ``transformer``, or ``mean of both``.
        images: N names.
        probabilities: (N, K).
        targets: (N, K) of 0 and 1.
        predicted: (N, K) of 0 and 1.
    """

    branch: str
    images: tuple[str, ...]
    probabilities: NDArray[np.float64]
    targets: NDArray[np.uint8]
    predicted: NDArray[np.uint8]

    @property
    def wrong(self) -> NDArray[np.bool_]:
        """(N,) whether the prediction is not the label."""
        differs: NDArray[np.bool_] = (self.predicted != self.targets).any(axis=1)
        return differs


@dataclass(frozen=True)
class RunOutcome:
    """A run with its results.

    Attributes:
        run: Its folder.
        config: Settings of its fine-tuning.
        summary: Its summary.
        report: Metrics by branch, as in report.json.
        predictions: By branch; the mean of both, where there are two, comes last.
        tuning: A row for each branch and epoch.
        pretraining: Summary of the pretraining run, or None where that is gone.
        pretraining_metrics: Its figures by epoch, or None.
        root: Folder that image names are relative to, or None where the images are gone.
        groups: Group by image name, as far as known.
    """

    run: Path
    config: FinetuneConfig
    summary: dict[str, Any]
    report: dict[str, Any]
    predictions: dict[str, Predictions]
    tuning: pd.DataFrame
    pretraining: dict[str, Any] | None
    pretraining_metrics: pd.DataFrame | None
    root: Path | None
    groups: dict[str, str]

    @property
    def main(self) -> Predictions:
        """The answers that ``cass predict`` gives: the mean of both branches, or those of the only one."""
        return list(self.predictions.values())[-1]


def read_outcome(run: Path) -> RunOutcome:
    """Read a fine-tuned and evaluated run.

    Args:
        run: The run folder.

    Returns:
        What is known of it. Of the pretraining run and the images, what is still there.

    Raises:
        OutputError: The run cannot be read.
    """
    summary = finetuned_summary(run)
    config = read_config(run, FinetuneConfig, written_by="cass finetune")
    folder = run / EVALUATION
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    root, groups = _test_images(read_config(folder, EvaluateConfig, written_by="cass evaluate"))
    before = config.run / SUMMARY
    there = before.is_file()
    return RunOutcome(
        run=run,
        config=config,
        summary=summary,
        report=report,
        predictions={name: _predictions(folder, name, summary) for name in report},
        tuning=read_metrics(run),
        pretraining=json.loads(before.read_text(encoding="utf-8")) if there else None,
        pretraining_metrics=read_metrics(config.run) if there else None,
        root=root,
        groups=groups,
    )


def _predictions(folder: Path, branch: str, summary: dict[str, Any]) -> Predictions:
    """Read the predictions of a branch."""
    import pandas as pd

    classes = summary["classes"]
    path = folder / f"predictions-{branch.replace(' ', '-')}.csv"
    table = pd.read_csv(path, keep_default_na=False, dtype={"image": str, "label": str, "prediction": str})
    columns = [f"probability_{name}" for name in classes]

    def flags(column: str) -> NDArray[np.uint8]:
        named = [set(cell.split("|")) if summary["task"] == "multilabel" else {cell} for cell in table[column]]
        return np.array([[name in cell for name in classes] for cell in named], dtype=np.uint8)

    return Predictions(
        branch,
        tuple(table["image"]),
        table[columns].to_numpy(dtype=np.float64),
        flags("label"),
        flags("prediction"),
    )


def _test_images(config: EvaluateConfig) -> tuple[Path | None, dict[str, str]]:
    """Find the images of an evaluation and their groups; nothing where they are gone."""
    if config.labels == GENERATED:
        return None, {}
    try:
        manifest = load_manifest(config.labels, config)
    except CassError:
        return None, {}
    if manifest.groups is None:
        return manifest.root, {}
    return manifest.root, dict(zip(manifest.images, map(str, manifest.groups), strict=True))
