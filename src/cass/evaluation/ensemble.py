"""The answer of both branches together: the mean of their probabilities, with a temperature of its own."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from cass.evaluation.calibration import Temperature, fit_temperature
from cass.types import Task

LEAST = 1e-12
Floats = NDArray[np.float64]


def ensemble(
    probabilities: Mapping[str, NDArray[np.floating]], *, task: Task, temperature: float
) -> NDArray[np.float32]:
    """Average the probabilities of the branches.

    Args:
        probabilities: (N, K) of each branch.
        task: Multi-class, or multi-label.
        temperature: What the logits of the mean are divided by; 1 leaves the mean as it is.

    Returns:
        (N, K) in [0, 1].
    """
    from scipy.special import expit, softmax

    mean = _mean(probabilities)
    if temperature != 1:
        logits = _logits_of(mean, task=task) / temperature
        mean = expit(logits) if task == "multilabel" else softmax(logits, axis=1)
    return mean.astype(np.float32)


def fit_ensemble(
    probabilities: Mapping[str, NDArray[np.floating]], targets: NDArray[np.uint8], *, task: Task
) -> Temperature:
    """Choose the temperature of the mean on images that the branches were not fitted to.

    The mean of calibrated probabilities is not confident enough where the branches err on different images.

    Args:
        probabilities: (N, K) of each branch.
        targets: (N, K) of 0 and 1.
        task: Multi-class, or multi-label.

    Returns:
        The temperature; 1 for one branch, which has its own, and for fewer than 20 images.

    Source:
        Rahaman & Thiery, Uncertainty Quantification and Deep Ensembles, NeurIPS 2021, section 4: calibrate after
        averaging.
    """
    if len(probabilities) == 1:
        return Temperature(1.0, float("nan"), float("nan"), "one branch")
    return fit_temperature(_logits_of(_mean(probabilities), task=task), targets, task=task)


def _mean(probabilities: Mapping[str, NDArray[np.floating]]) -> Floats:
    found: Floats = np.mean(list(probabilities.values()), axis=0, dtype=np.float64)
    return found


def _logits_of(mean: Floats, *, task: Task) -> Floats:
    """Return logits whose softmax or sigmoid gives probabilities (N, K)."""
    from scipy.special import logit

    inside = np.clip(mean, LEAST, 1 - LEAST)
    found: Floats = logit(inside) if task == "multilabel" else np.log(inside)
    return found
