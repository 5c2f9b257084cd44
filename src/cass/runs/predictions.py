"""What a fine-tuned run predicts with, and its predictions as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cass.evaluation.conformal import prediction_sets
from cass.evaluation.metrics import predicted_labels
from cass.evaluation.selection import doubt_of
from cass.listing import plain_cell
from cass.types import Task

TEXT_COLUMNS = ("image", "prediction", "set_90", "refer")
CALLED = "called_"
PROBABILITY_DIGITS = 6
"""Decimal places of probabilities in files."""


def is_text_column(name: str) -> bool:
    """Whether a column of predictions holds text; the others hold floats."""
    return name in TEXT_COLUMNS or name.startswith(CALLED)


def csv_text(frame: Any, *, header: bool = True) -> str:
    """Write a table as CSV in which no name is a formula to a spreadsheet."""
    texts = frame.select_dtypes(include=["object", "string"]).columns
    plain = frame.assign(**{name: frame[name].map(plain_cell) for name in texts})
    text: str = plain.to_csv(index=False, header=header, lineterminator="\n")
    return text


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


def mean_temperature(summary: dict[str, Any]) -> float:
    """Return the temperature of the mean of both branches; 1 for runs of versions that fitted none."""
    return float(summary.get("mean_of_both", {}).get("temperature", 1.0))


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
    columns = {
        f"probability_{name}": probability[:, index].round(PROBABILITY_DIGITS)
        for index, name in enumerate(classes)
    }
    return pd.DataFrame({"image": names, "prediction": predicted} | columns)


def add_safeguards(
    frame: Any,
    probability: NDArray[np.float32],
    branches: Mapping[str, NDArray[np.float32]],
    *,
    classes: tuple[str, ...],
    task: Task,
    safeguards: Mapping[str, Any] | None,
) -> Any:
    """Add what tells how far a prediction can be trusted.

    Args:
        frame: Table of :func:`prediction_table`.
        probability: (n, K) mean of the branches.
        branches: (n, K) of each branch.
        classes: K names.
        task: Multi-class or multi-label.
        safeguards: Those of the run's summary, or None.

    Returns:
        The frame with ``doubt``, in [0, 1]; ``refer``, ``yes`` where it is higher than for four fifths of the
        held-out images; ``set_90``, the classes that cannot be ruled out, joined by ``|``; and where there are two
        branches the probabilities of each, such as ``cnn_{class}``.
    """
    doubt = doubt_of(dict(branches), task=task) if len(probability) else np.zeros(0)
    place = list(frame.columns).index("prediction") + 1
    frame.insert(place, "doubt", doubt.round(4).astype(np.float32))
    found = safeguards or {}
    if found.get("doubt") is not None:
        frame.insert(place + 1, "refer", np.where(doubt > found["doubt"], "yes", "no").astype(object))
    if task == "multiclass" and safeguards is not None:
        inside = prediction_sets(probability, found["least"])
        names = ["|".join(np.array(classes)[row].tolist()) for row in inside]
        frame.insert(list(frame.columns).index("doubt") + 1, "set_90", np.array(names, dtype=object))
    if len(branches) > 1:
        for name, values in branches.items():
            for index, label in enumerate(classes):
                frame[f"{name}_{label}"] = values[:, index].round(PROBABILITY_DIGITS)
    return frame


def add_called(frame: Any, called: Mapping[str, float]) -> Any:
    """Add a column ``called_{class}`` of ``yes`` and ``no`` for each class with an operating point.

    Args:
        frame: Table of :func:`prediction_table`.
        called: Probability from which on a class is called.

    Returns:
        The frame.
    """
    for name, threshold in called.items():
        reached = frame[f"probability_{name}"] >= np.float32(threshold)
        frame[f"{CALLED}{name}"] = np.where(reached, "yes", "no").astype(object)
    return frame
