"""Probabilities that mean what they say: a temperature and thresholds, both chosen on validation images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cass.evaluation.curves import calibration_error, reliability
from cass.evaluation.logistic import log_loss
from cass.types import Task

Floats = NDArray[np.float64]

LEAST_IMAGES = 20
"""Validation images below which no temperature is fitted."""

LEAST_OF_EACH = 5
"""Validation images with, and without, a label below which its threshold stays 0.5."""

BOUNDS = (0.05, 20.0)


@dataclass(frozen=True)
class Temperature:
    """A temperature and what it did to the validation images.

    Attributes:
        value: T > 0; logits are divided by it. 1 where none was fitted.
        ece_before: Expected calibration error in [0, 1] with T = 1; NaN without images.
        ece_after: The same with the temperature.
        note: Why none was fitted; empty where one was.
    """

    value: float
    ece_before: float
    ece_after: float
    note: str = ""


def summary_of(temperature: Temperature) -> dict[str, float | str | None]:
    """Return a temperature as summaries keep it; an error that is not known is None."""
    errors = {"val_ece_before": temperature.ece_before, "val_ece_after": temperature.ece_after}
    return {
        "temperature": temperature.value,
        "temperature_note": temperature.note,
        **{name: None if np.isnan(value) else value for name, value in errors.items()},
    }


def fit_temperature(logits: NDArray[np.floating], targets: NDArray[np.uint8], *, task: Task) -> Temperature:
    """Choose the temperature that gives the lowest log loss on validation images.

    Args:
        logits: (N, K).
        targets: (N, K) of 0 and 1.
        task: Multi-class (softmax) or multi-label (sigmoids; one temperature for all labels).

    Returns:
        The temperature in [0.05, 20]; 1 where there are fewer than 20 images or the logits are not finite.

    Source:
        Guo et al., On Calibration of Modern Neural Networks, ICML 2017, section 4.2. The targets are moved
        inwards by 0.5 / (N + 1), as Platt (1999), section 2.2, moves them by twice that: images that are all
        classified correctly would otherwise ask for a temperature of 0, that is, for certainty.
    """
    from scipy.optimize import minimize_scalar

    values = np.asarray(logits, dtype=np.float64)
    if not np.isfinite(values).all():
        return Temperature(1.0, float("nan"), float("nan"), "the logits are not finite")
    before = expected_calibration_error(values, targets, task=task)
    if len(values) < LEAST_IMAGES:
        return Temperature(1.0, before, before, f"fewer than {LEAST_IMAGES} validation images")
    low, high = np.log(BOUNDS)
    moved = _moved_inwards(targets, task=task)
    found = minimize_scalar(
        lambda log_t: log_loss(values / np.exp(log_t), moved, task=task),
        bounds=(low, high),
        method="bounded",
        options={"xatol": 1e-4},
    )
    value = float(np.exp(np.clip(found.x, low, high)))
    return Temperature(value, before, expected_calibration_error(values / value, targets, task=task))


def _moved_inwards(targets: NDArray[np.uint8], *, task: Task) -> Floats:
    """Take 0.5 / (N + 1) from what is true and give it to what is not, evenly."""
    truth = targets.astype(np.float64)
    moved = 0.5 / (len(truth) + 1)
    others = max(truth.shape[1] - 1, 1) if task == "multiclass" else 1
    return (1 - moved) * truth + moved * (1 - truth) / others


def expected_calibration_error(logits: NDArray[np.floating], targets: NDArray[np.uint8], *, task: Task) -> float:
    """Compute how far confidence and accuracy lie apart, in ten bins of equal width.

    Args:
        logits: (N, K).
        targets: (N, K) of 0 and 1.
        task: Multi-class (the likeliest class's probability against whether it is right) or multi-label
            (each label's probability against how often it is there).

    Returns:
        The mean gap over images (and labels), in [0, 1]; NaN without images.

    Source:
        Guo et al., On Calibration of Modern Neural Networks, ICML 2017, equation 3.
    """
    from scipy.special import expit, softmax

    if not len(logits):
        return float("nan")
    values = np.asarray(logits, dtype=np.float64)
    probabilities = softmax(values, axis=1) if task == "multiclass" else expit(values)
    return calibration_error(reliability(probabilities, targets, task=task))


def fit_thresholds(probabilities: NDArray[np.floating], targets: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Choose for each label of a multi-label set the threshold of the best balanced accuracy.

    Args:
        probabilities: (N, K) in [0, 1], of validation images.
        targets: (N, K) of 0 and 1.

    Returns:
        (K,) in [0, 1], midway between neighbouring probabilities; of equally good ones that nearest to 0.5,
        and 0.5 for a label that fewer than five images have, or have not.
    """
    columns = range(targets.shape[1])
    return np.array([_threshold(probabilities[:, index], targets[:, index] > 0) for index in columns])


def _threshold(scores: NDArray[np.floating], truth: NDArray[np.bool_]) -> float:
    if min(truth.sum(), (~truth).sum()) < LEAST_OF_EACH:
        return 0.5
    levels = np.unique(scores.astype(np.float64))
    candidates = np.concatenate([[0.5], (levels[1:] + levels[:-1]) / 2])
    ill, well = np.sort(scores[truth]), np.sort(scores[~truth])
    missed = np.searchsorted(ill, candidates) / len(ill)
    spared = np.searchsorted(well, candidates) / len(well)
    score = spared - missed  # Youden's index
    best = candidates[score >= score.max() - 1e-12]
    return float(best[np.abs(best - 0.5).argmin()])
