"""Penalised logistic regressions at several strengths, and the log loss of logits."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cass.types import Task

Floats = NDArray[np.float64]

UNSEEN_LOGIT = 30.0
"""Logit, negative, of a class without an image; and positive, of a label that every image has."""

TOLERANCE, ITERATIONS = 1e-5, 2000


class LogisticFits:
    """Logistic regressions of one set of images at several strengths; each starts from the last one.

    Args:
        features: (N, R).
        targets: (N, K) of 0 and 1.
        weights: (K,) positive weights, as in :func:`cass.evaluation.probe.fit_probe`.
        task: Multi-class or multi-label.
        shares: (N, K) factors on the weights, 0 or more; multi-class: the same for all classes of an image.
            None: 1 everywhere.
    """

    def __init__(
        self,
        features: Floats,
        targets: NDArray[np.uint8],
        weights: Floats,
        task: Task,
        *,
        shares: Floats | None = None,
    ) -> None:
        self.features, self.targets, self.weights, self.task = features, targets, weights, task
        self.shares = np.ones(targets.shape) if shares is None else shares
        self._models: dict[int, Any] = {}

    def at(self, penalty: float) -> tuple[Floats, Floats]:
        """Return weights (K, R) and biases (K,) at a strength of the penalty."""
        if self.task == "multilabel":
            rows = [self._one_label(index, penalty) for index in range(self.targets.shape[1])]
            return np.stack([row[0] for row in rows]), np.array([row[1] for row in rows])
        return self._classes(penalty)

    def _one_label(self, index: int, penalty: float) -> tuple[Floats, float]:
        truth, share = self.targets[:, index], self.shares[:, index]
        counted = truth[share > 0]
        if counted.min() == counted.max():
            return np.zeros(self.features.shape[1]), UNSEEN_LOGIT if counted[0] else -UNSEEN_LOGIT
        model = self._fit(index, truth, np.where(truth > 0, self.weights[index], 1.0) * share, penalty)
        return model.coef_[0].copy(), float(model.intercept_[0])

    def _classes(self, penalty: float) -> tuple[Floats, Floats]:
        classes = self.targets.argmax(axis=1)
        seen = np.unique(classes)
        coefficients = np.zeros((self.targets.shape[1], self.features.shape[1]))
        bias = np.full(self.targets.shape[1], -UNSEEN_LOGIT)
        bias[seen] = 0.0
        if len(seen) > 1:
            model = self._fit(0, classes, self.weights[classes] * self.shares[:, 0], penalty)
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
        weights: (K,) as in :func:`cass.evaluation.probe.fit_probe`, or None.

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
