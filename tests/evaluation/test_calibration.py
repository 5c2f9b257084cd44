from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, softmax
from sklearn.metrics import balanced_accuracy_score

from cass.evaluation.calibration import expected_calibration_error, fit_temperature, fit_thresholds
from cass.evaluation.logistic import log_loss


def drawn(count: int, *, factor: float, task: str = "multiclass", seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits that are ``factor`` times too large for the labels that are drawn from them."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(count, 3)) * 2
    if task == "multilabel":
        return logits * factor, (rng.random((count, 3)) < expit(logits)).astype(np.uint8)
    chance = softmax(logits, axis=1).cumsum(axis=1)
    kind = (rng.random((count, 1)) > chance[:, :2]).sum(axis=1)
    return logits * factor, np.eye(3, dtype=np.uint8)[kind]


@pytest.mark.parametrize("task", ["multiclass", "multilabel"])
@pytest.mark.parametrize("factor", [0.25, 1.0, 5.0])
def test_the_temperature_undoes_what_makes_logits_too_large_or_small(task: str, factor: float) -> None:
    logits, targets = drawn(4000, factor=factor, task=task)
    found = fit_temperature(logits, targets, task=task)
    assert found.value == pytest.approx(factor, rel=0.1)
    assert found.note == ""
    assert found.ece_after < 0.03
    if factor != 1:
        assert found.ece_after < found.ece_before / 2


@settings(max_examples=15, deadline=None)
@given(factor=st.floats(0.01, 1000.0), count=st.integers(20, 60), seed=st.integers(0, 99))
def test_it_is_bounded_and_no_worse_than_none(factor: float, count: int, seed: int) -> None:
    logits, targets = drawn(count, factor=factor, seed=seed)
    found = fit_temperature(logits, targets, task="multiclass")
    assert 0.05 <= found.value <= 20
    share = 0.5 / (count + 1)
    moved = (1 - share) * targets + share * (1 - targets) / 2
    before, after = (log_loss(logits / t, moved, task="multiclass") for t in (1.0, found.value))
    assert after <= before + 1e-6


def test_images_that_are_all_right_do_not_ask_for_certainty() -> None:
    targets = np.eye(3, dtype=np.uint8)[np.arange(30) % 3]
    found = fit_temperature(2.0 * targets, targets, task="multiclass")
    confidence = softmax(2.0 * targets / found.value, axis=1).max()
    assert confidence == pytest.approx(1 - 0.5 / 31, abs=1e-3)


def test_few_images_or_broken_logits_leave_the_logits_alone() -> None:
    logits, targets = drawn(19, factor=5.0)
    assert fit_temperature(logits, targets, task="multiclass").value == 1
    assert "20" in fit_temperature(logits, targets, task="multiclass").note
    logits, targets = drawn(50, factor=5.0)
    logits[3, 1] = np.nan
    assert fit_temperature(logits, targets, task="multiclass").value == 1


def test_calibration_error_by_hand() -> None:
    p = np.array([[0.9, 0.1], [0.9, 0.1], [0.3, 0.7], [0.35, 0.65]])
    targets = np.array([[1, 0], [0, 1], [0, 1], [0, 1]], np.uint8)
    # 0.9: two, half right: gap 0.4; 0.7 and 0.65: each alone in its bin and right: gaps 0.3 and 0.35.
    expected = (2 * 0.4 + 0.3 + 0.35) / 4
    assert expected_calibration_error(np.log(p), targets, task="multiclass") == pytest.approx(expected)
    assert np.isnan(expected_calibration_error(np.zeros((0, 2)), np.zeros((0, 2), np.uint8), task="multiclass"))


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 999), shift=st.floats(-3, 3))
def test_thresholds_beat_every_other(seed: int, shift: float) -> None:
    logits, targets = drawn(40, factor=1.0, task="multilabel", seed=seed)
    scores = expit(logits + shift)
    thresholds = fit_thresholds(scores, targets)
    for label in range(3):
        truth = targets[:, label]
        if min(truth.sum(), 40 - truth.sum()) < 5:
            assert thresholds[label] == 0.5
            continue
        grid = [balanced_accuracy_score(truth, scores[:, label] >= t) for t in np.linspace(0, 1, 21)]
        mine = balanced_accuracy_score(truth, scores[:, label] >= thresholds[label])
        assert mine >= max(grid) - 1e-12


def test_a_threshold_that_changes_nothing_stays_at_a_half() -> None:
    scores = np.repeat([[0.1], [0.9]], 10, axis=0)
    assert fit_thresholds(scores, np.repeat([[0], [1]], 10, axis=0).astype(np.uint8)).tolist() == [0.5]
    assert fit_thresholds(scores, np.repeat([[0], [1]], [3, 17], axis=0).astype(np.uint8)).tolist() == [0.5]
