"""A fine-tuned and evaluated run, as its page shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cass.config.finetune import FinetuneConfig
from cass.evaluation.bootstrap import Interval
from cass.evaluation.operating import HeldOut

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class RunFacts:
    """A run as its page shows it.

    Attributes:
        name: What to call it.
        config: Settings of its fine-tuning.
        summary: Its summary.
        report: Metrics by branch, as in report.json.
        branch: The branch whose answers count: ``mean of both``, or the only one.
        images: Names of N test images.
        probabilities: (N, K) of that branch.
        branch_probabilities: (N, K) of each single branch, where there are two.
        targets: (N, K) of 0 and 1.
        predicted: (N, K) of 0 and 1.
        tuning: A row for each branch and epoch of fine-tuning.
        pretraining: Summary of the pretraining run, or None.
        pretraining_metrics: Its figures by epoch, or None.
        root: Folder that image names are relative to, or None where the images are gone.
        groups: Group by image name, as far as known.
        columns: By column of the table with a few values, such as the site: value by image name.
        held_out: Held-out labels with what the run answers on them, or None for a run of an earlier version.
        places: (N, 2) of each branch: where the embeddings of the test images lie on a map; NaN where one is not
            shown. Empty where the evaluation made no map.
        heat: Heat maps (S, S) of the worst errors, by image name and branch; empty where the evaluation made none.
    """

    name: str
    config: FinetuneConfig
    summary: dict[str, Any]
    report: dict[str, Any]
    branch: str
    images: tuple[str, ...]
    probabilities: NDArray[np.float64]
    branch_probabilities: dict[str, NDArray[np.float64]]
    targets: NDArray[np.uint8]
    predicted: NDArray[np.uint8]
    tuning: pd.DataFrame
    pretraining: dict[str, Any] | None
    pretraining_metrics: pd.DataFrame | None
    root: Path | None
    groups: Mapping[str, str]
    columns: Mapping[str, Mapping[str, str]]
    held_out: HeldOut | None
    places: Mapping[str, NDArray[np.float64]]
    heat: Mapping[str, Mapping[str, NDArray[np.uint8]]]

    @property
    def classes(self) -> tuple[str, ...]:
        """The K class names."""
        return tuple(self.summary["classes"])

    @property
    def wrong(self) -> NDArray[np.bool_]:
        """(N,) whether a prediction is not the label."""
        differs: NDArray[np.bool_] = (self.predicted != self.targets).any(axis=1)
        return differs


@dataclass(frozen=True)
class OtherRun:
    """Another run beside the first.

    Attributes:
        name: What to call it.
        summary: Its summary.
        value: Its balanced accuracy on its test images.
        difference: Its balanced accuracy minus that of the first run on the same images, paired by image; None
            where the two were evaluated on other images or classes.
    """

    name: str
    summary: dict[str, Any]
    value: Interval
    difference: Interval | None
