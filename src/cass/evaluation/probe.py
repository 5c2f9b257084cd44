"""A linear probe: what a linear classifier reads from embeddings that stay as they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from cass.types import Task

Floats = NDArray[np.float64]

PENALTIES: tuple[float, ...] = tuple(10.0 ** (half / 2) for half in range(8, -9, -1))
"""Strengths of the penalty that are tried, from the strongest (10,000) to the weakest (0.0001)."""

WITHOUT_VALIDATION = 0.1
"""Strength that is used where there is nothing to choose it on."""

RISES = 2
"""Strengths without a lower validation loss after which weaker ones are not tried."""

UNSEEN_LOGIT = 30.0
"""Logit, negative, of a class without an image; and positive, of a label that every image has."""

TOLERANCE, ITERATIONS = 1e-5, 2000
NO_SPREAD = 1e-6


@dataclass(frozen=True)
class Probe:
    """A linear classifier of raw embeddings: ``logits = embeddings @ weight.T + bias``.

    Attributes:
        weight: (K, D) float64.
        bias: (K,) float64.
        penalty: The chosen strength of the penalty.
        losses: Validation loss by strength, for those that were tried; empty without validation images.
    """

    weight: Floats
    bias: Floats
    penalty: float
    losses: dict[float, float]

    def logits(self, embeddings: NDArray[np.floating]) -> Floats:
        """Map embeddings (N, D) to logits (N, K)."""
        result: Floats = np.asarray(embeddings, dtype=np.float64) @ self.weight.T + self.bias
        return result


def fit_probe(
    embeddings: NDArray[np.floating],
    targets: NDArray[np.uint8],
    *,
    validation: NDArray[np.floating],
    validation_targets: NDArray[np.uint8],
    task: Task,
    weights: NDArray[np.floating] | None = None,
) -> Probe:
    """Fit a logistic regression on standardised embeddings; its strength is chosen on the validation images.

    What is minimised is the weighted mean log loss plus ``penalty / 2`` times the squared norm of the weights
    (not of the biases) on embeddings that are standardised by the training images' means and spreads.
    Every strength of :data:`PENALTIES` is tried from the strongest down, until two in a row do not lower the
    mean log loss of the validation images. The lowest wins, and of equal ones the strongest. That mean counts
    every validation image once: a weighted one would hang on the few images of the rarest class, of which
    small sets hold one or two. Nothing is drawn at random.

    Args:
        embeddings: Training embeddings (N, D), finite; N of 1 or more.
        targets: Their labels (N, K) of 0 and 1; multi-class: one 1 a row.
        validation: Validation embeddings (M, D); with none, the strength is 0.1.
        validation_targets: Their labels (M, K).
        task: Multi-class (softmax) or multi-label (a sigmoid for each label).
        weights: (K,) positive weights: of the images of each class, or, multi-label, of the images that have
            the label beside those that have it not; None counts all alike.

    Returns:
        The probe, folded back to raw embeddings. A class without a training image keeps its row, which gives
        it the logit -30; a label that all training images have gets +30.

    Source:
        The usual linear evaluation of self-supervised networks by L2-regularised logistic regression with a
        strength chosen on validation images: Chen et al., ICML 2020, section B.8; Radford et al., ICML 2021.
    """
    raw = np.asarray(embeddings, dtype=np.float64)
    held = np.asarray(validation, dtype=np.float64).reshape(-1, raw.shape[1])
    mean, spread = raw.mean(axis=0), raw.std(axis=0)
    # A feature without spread tells nothing; what float32 leaves of one must not be blown up.
    spread = np.where(spread > NO_SPREAD * np.maximum(np.abs(mean), NO_SPREAD), spread, np.inf)
    features, rotation = _reduce((raw - mean) / spread)
    held_features = (held - mean) / spread if rotation is None else ((held - mean) / spread) @ rotation
    counted = np.ones(targets.shape[1]) if weights is None else np.asarray(weights, dtype=np.float64)
    if task == "multiclass":  # no classifier can be blamed for a class that it never saw
        seen = targets.any(axis=0)
        known = (validation_targets[:, seen] > 0).any(axis=1)
        held_features, validation_targets = held_features[known], validation_targets[known]
    fits = _Fits(features, targets, counted, task)
    # Its products are small: threads that wait for each other cost more than they give, far more where the
    # processors have other work too.
    with threadpool_limits(1, user_api="blas"):
        if len(held_features):
            penalty, (coefficients, bias), losses = _choose_penalty(fits, held_features, validation_targets)
        else:
            penalty, (coefficients, bias), losses = WITHOUT_VALIDATION, fits.at(WITHOUT_VALIDATION), {}
    if rotation is not None:
        coefficients = coefficients @ rotation.T
    weight = coefficients / spread
    return Probe(weight, bias - weight @ mean, penalty, losses)


def _reduce(features: Floats) -> tuple[Floats, Floats | None]:
    """Rotate N features of more than N dimensions into the N that they span, where the penalised optimum lies.

    Returns:
        Features (N, R) with R the lesser of N and D, and the rotation (D, R); None where nothing is gained.
    """
    if len(features) >= features.shape[1]:
        return features, None
    left, scale, right = np.linalg.svd(features, full_matrices=False)
    return left * scale, right.T


def _choose_penalty(
    fits: _Fits, held: Floats, targets: NDArray[np.uint8]
) -> tuple[float, tuple[Floats, Floats], dict[float, float]]:
    """Try strengths from the strongest down; returns the best one, its coefficients, and all losses."""
    losses: dict[float, float] = {}
    best, chosen = np.inf, fits.at(PENALTIES[0])
    penalty, since = PENALTIES[0], 0
    for strength in PENALTIES:
        fitted = fits.at(strength)
        loss = log_loss(held @ fitted[0].T + fitted[1], targets, task=fits.task)
        losses[strength] = loss
        since += 1
        if loss < best:
            best, chosen, penalty, since = loss, fitted, strength, 0
        elif since >= RISES:
            break
    return penalty, chosen, losses


class _Fits:
    """Logistic regressions of one set of images at several strengths; each starts from the last one."""

    def __init__(self, features: Floats, targets: NDArray[np.uint8], weights: Floats, task: Task) -> None:
        self.features, self.targets, self.weights, self.task = features, targets, weights, task
        self._models: dict[int, Any] = {}

    def at(self, penalty: float) -> tuple[Floats, Floats]:
        """Return weights (K, R) and biases (K,)."""
        if self.task == "multilabel":
            rows = [self._one_label(index, penalty) for index in range(self.targets.shape[1])]
            return np.stack([row[0] for row in rows]), np.array([row[1] for row in rows])
        return self._classes(penalty)

    def _one_label(self, index: int, penalty: float) -> tuple[Floats, float]:
        truth = self.targets[:, index]
        if truth.min() == truth.max():
            return np.zeros(self.features.shape[1]), UNSEEN_LOGIT if truth[0] else -UNSEEN_LOGIT
        model = self._fit(index, truth, np.where(truth > 0, self.weights[index], 1.0), penalty)
        return model.coef_[0].copy(), float(model.intercept_[0])

    def _classes(self, penalty: float) -> tuple[Floats, Floats]:
        classes = self.targets.argmax(axis=1)
        seen = np.unique(classes)
        coefficients = np.zeros((self.targets.shape[1], self.features.shape[1]))
        bias = np.full(self.targets.shape[1], -UNSEEN_LOGIT)
        bias[seen] = 0.0
        if len(seen) > 1:
            model = self._fit(0, classes, self.weights[classes], penalty)
            # Two classes come as one row, the log odds of the second.
            rows = model.coef_ if len(seen) > 2 else np.concatenate([-model.coef_, model.coef_]) / 2
            steps = model.intercept_ if len(seen) > 2 else np.array([-0.5, 0.5]) * model.intercept_[0]
            coefficients[seen], bias[seen] = rows, steps - steps.mean()
        return coefficients, bias

    def _fit(self, key: int, labels: NDArray[np.integer], weights: Floats, penalty: float) -> Any:
        from sklearn.linear_model import LogisticRegression

        model = self._models.setdefault(
            key, LogisticRegression(tol=TOLERANCE, max_iter=ITERATIONS, warm_start=True)
        )
        # scikit-learn sums the losses, so that the strength would fade as images are added.
        model.set_params(C=1.0 / (penalty * weights.sum()))
        return model.fit(self.features, labels, sample_weight=weights)


def log_loss(
    logits: NDArray[np.floating],
    targets: NDArray[np.number],
    *,
    task: Task,
    weights: NDArray[np.floating] | None = None,
) -> float:
    """Compute the weighted mean log loss of logits.

    Args:
        logits: (N, K).
        targets: (N, K) of 0 and 1; without weights also anything between.
        task: Multi-class (softmax) or multi-label (sigmoids; the mean over labels too).
        weights: (K,) as in :func:`fit_probe`, or None.

    Returns:
        The mean over images, in nats, 0 or more.
    """
    values, truth = np.asarray(logits, dtype=np.float64), targets.astype(np.float64)
    counted = np.ones(truth.shape[1]) if weights is None else np.asarray(weights, dtype=np.float64)
    if task == "multilabel":
        each = np.logaddexp(0.0, values) - truth * values
        share = np.where(truth > 0, counted, 1.0)
        return float((each * share).sum() / share.sum())
    top = values.max(axis=1, keepdims=True)
    log_p = values - top - np.log(np.exp(values - top).sum(axis=1, keepdims=True))
    share = truth @ counted
    return float(-(truth * log_p).sum(axis=1) @ share / share.sum())
