from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, log_expit, log_softmax

from cass.evaluation.logistic import UNSEEN_LOGIT, LogisticFits, log_loss

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(size=(12, 3)) * 3
LABELS = np.eye(3, dtype=np.uint8)[RNG.integers(0, 3, 12)]
WEIGHTS = np.array([2.0, 1.0, 5.0])


def test_the_loss_of_classes_by_hand() -> None:
    each = -(LABELS * log_softmax(LOGITS, axis=1)).sum(axis=1)
    assert log_loss(LOGITS, LABELS, task="multiclass") == pytest.approx(each.mean())
    share = LABELS @ WEIGHTS
    weighted = log_loss(LOGITS, LABELS, task="multiclass", weights=WEIGHTS.astype(np.int64))
    assert weighted == pytest.approx(each @ share / share.sum())
    # Large logits, as lists and in half precision.
    large = log_loss(LOGITS.astype(np.float16) * 1000, LABELS.astype(bool), task="multiclass")
    assert large == pytest.approx(
        -(LABELS * log_softmax(LOGITS.astype(np.float16) * 1000.0, axis=1)).sum() / 12, rel=1e-3
    )
    apart = np.array([[0.0, 1.0, 2.0], [900.0, 901.0, 902.0]])
    assert log_loss(apart, np.eye(3, dtype=np.uint8)[[0, 0]], task="multiclass") == pytest.approx(
        -log_softmax([0.0, 1.0, 2.0])[0]
    )


def test_the_loss_of_labels_by_hand() -> None:
    several = (RNG.random((12, 3)) < 0.4).astype(np.uint8)
    each = -np.where(several == 1, log_expit(LOGITS), log_expit(-LOGITS))
    assert log_loss(LOGITS, several, task="multilabel") == pytest.approx(each.mean())
    share = np.where(several == 1, WEIGHTS, 1.0)
    assert log_loss(LOGITS, several, task="multilabel", weights=WEIGHTS) == pytest.approx(
        (each * share).sum() / share.sum()
    )


def test_the_optimum_has_no_gradient_and_two_classes_share_it_evenly() -> None:
    features = RNG.normal(size=(60, 4))
    for kinds in (2, 3):
        labels = np.eye(3, dtype=np.uint8)[RNG.integers(0, kinds, 60)]
        shares = np.repeat(RNG.random((60, 1)) + 0.5, 3, axis=1)
        fits = LogisticFits(features, labels, WEIGHTS, "multiclass", shares=shares)
        fits.at(10.0)
        coefficients, bias = fits.at(0.01)  # from the last fit on
        logits = features @ coefficients.T + bias
        chances = np.exp(log_softmax(logits[:, :kinds], axis=1))
        counted = (labels @ WEIGHTS) * shares[:, 0]
        gradient = (counted[:, None] * (chances - labels[:, :kinds])).T @ features / counted.sum()
        # Two classes are one row of weights, whose penalty is that of both halves together.
        penalty = 0.01 * coefficients[:kinds] * (2 if kinds == 2 else 1)
        assert gradient + penalty == pytest.approx(0, abs=2e-3)
        assert bias[:kinds].sum() == pytest.approx(0, abs=1e-9)
        again = LogisticFits(features, labels, WEIGHTS, "multiclass", shares=shares).at(0.01)
        assert again[0] == pytest.approx(coefficients, abs=1e-3)
        if kinds == 2:
            assert bias[2] == -UNSEEN_LOGIT
            assert not coefficients[2].any()


def test_one_class_alone_is_certain() -> None:
    labels = np.eye(2, dtype=np.uint8)[[1, 1, 1]]
    coefficients, bias = LogisticFits(np.ones((3, 2)), labels, np.ones(2), "multiclass").at(1.0)
    assert (coefficients.tolist(), bias.tolist()) == ([[0, 0], [0, 0]], [-UNSEEN_LOGIT, 0])
    coefficients, bias = LogisticFits(np.ones((3, 2)), labels, np.ones(2), "multilabel").at(1.0)
    assert (coefficients.tolist(), bias.tolist()) == ([[0, 0], [0, 0]], [-UNSEEN_LOGIT, UNSEEN_LOGIT])
    alone = LogisticFits(np.ones((1, 2)), np.array([[1]], np.uint8), np.ones(1), "multilabel").at(1.0)
    assert alone[1].tolist() == [UNSEEN_LOGIT]


def test_labels_of_no_share_are_not_seen() -> None:
    features = np.linspace(-1, 1, 10)[:, None]
    labels = (features > 0).astype(np.uint8)
    shares = np.where(features > 0, 0.0, 1.0)
    _, bias = LogisticFits(features, labels, np.ones(1), "multilabel", shares=shares).at(1.0)
    assert bias.tolist() == [-UNSEEN_LOGIT]
    coefficients, bias = LogisticFits(features, labels, np.array([3.0]), "multilabel").at(0.01)
    chances = expit(features @ coefficients.T + bias)
    counted = np.where(labels == 1, 3.0, 1.0)
    assert (counted * (chances - labels)).sum() / counted.sum() == pytest.approx(0, abs=1e-3)
