from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, softmax
from sklearn.metrics import balanced_accuracy_score

from cass.evaluation.calibration import (
    Temperature,
    expected_calibration_error,
    fit_temperature,
    fit_thresholds,
    summary_of,
)
from cass.evaluation.logistic import log_loss
from cass.types import Task


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


def test_a_temperature_in_a_summary() -> None:
    found = Temperature(1.5, 0.2, float("nan"), "why")
    assert summary_of(found) == {
        "temperature": 1.5,
        "temperature_note": "why",
        "val_ece_before": 0.2,
        "val_ece_after": None,
    }


@pytest.mark.parametrize("task", ["multiclass", "multilabel"])
def test_the_temperature_is_that_of_a_fine_grid(task: Task) -> None:
    logits, targets = drawn(40, factor=2.0, task=task)
    share = 0.5 / 41
    moved = (1 - share) * targets + share * (1 - targets) / (2 if task == "multiclass" else 1)
    grid = np.exp(np.linspace(np.log(0.05), np.log(20), 20_001))
    best = grid[np.argmin([log_loss(logits / t, moved, task=task) for t in grid])]
    assert fit_temperature(logits, targets, task=task).value == pytest.approx(best, rel=5e-4)


def test_one_class_alone_gets_a_temperature() -> None:
    logits = np.linspace(0.5, 2, 30)[:, None]
    assert fit_temperature(logits, np.ones((30, 1), np.uint8), task="multiclass").value > 0


def test_the_temperature_stays_in_its_bounds() -> None:
    targets = np.eye(2, dtype=np.uint8)[np.arange(400) % 2]
    sure, backwards = 0.01 * targets, 400.0 * (1 - targets)
    assert fit_temperature(sure, targets, task="multiclass").value == pytest.approx(0.05, rel=1e-3)
    assert fit_temperature(backwards, targets, task="multiclass").value == pytest.approx(20, rel=1e-3)


def test_why_no_temperature_was_fitted() -> None:
    logits, targets = drawn(20, factor=5.0)
    assert fit_temperature(logits, targets, task="multiclass").note == ""
    error = expected_calibration_error(logits[:19], targets[:19], task="multiclass")
    assert fit_temperature(logits[:19], targets[:19], task="multiclass") == Temperature(
        1.0, error, error, "fewer than 20 validation images"
    )
    logits[0, 0] = np.inf
    broken = fit_temperature(logits, targets, task="multiclass")
    assert (broken.value, broken.note) == (1.0, "the logits are not finite")
    assert np.isnan([broken.ece_before, broken.ece_after]).all()


def test_certain_and_half_precision_answers_have_a_bin() -> None:
    targets = np.array([[0, 1], [0, 1]], np.uint8)
    sure = np.array([[-200.0, 200.0], [200.0, -200.0]])
    for task in ("multiclass", "multilabel"):
        assert expected_calibration_error(sure, targets, task=task) == pytest.approx(0.5)
    nearly = np.log([[0.08, 0.92], [0.04, 0.96]])
    wrong = np.array([[0, 1], [1, 0]], np.uint8)
    # One bin: 0.92 right, 0.96 wrong.
    assert expected_calibration_error(nearly, wrong, task="multiclass") == pytest.approx(0.94 - 0.5)
    apart = np.log([[0.15, 0.85], [0.04, 0.96]])
    assert expected_calibration_error(apart, wrong, task="multiclass") == pytest.approx((0.15 + 0.96) / 2)
    half = np.log([[0.3, 0.7]] * 3).astype(np.float16)
    single = expected_calibration_error(half, np.array([[0, 1]] * 3, np.uint8), task="multiclass")
    assert single == expected_calibration_error(
        half.astype(np.float64), np.array([[0, 1]] * 3, np.uint8), task="multiclass"
    )
