"""What a fine-tuned run predicts with, and its predictions as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cass.evaluation.metrics import predicted_labels
from cass.types import Task


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
    """Write predictions as a table.

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
