from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import auc, precision_recall_curve, roc_auc_score

from cass.evaluation.calibration import expected_calibration_error
from cass.evaluation.curves import (
    at_specificity,
    calibration_error,
    precision_recall,
    reliability,
    risk_coverage,
    roc,
)

RNG = np.random.default_rng(0)
TRUTH = RNG.random(200) < 0.4
SCORES = np.clip(RNG.random(200) * 0.7 + 0.3 * TRUTH, 0, 1)


def test_the_area_under_the_curve_is_that_of_scikit_learn() -> None:
    curve = roc(SCORES, TRUTH)
    assert curve is not None
    assert auc(curve.x, curve.y) == pytest.approx(roc_auc_score(TRUTH, SCORES))
    recall = precision_recall(SCORES, TRUTH)
    assert recall is not None
    assert (np.diff(recall.x) >= 0).all()


def test_one_class_alone_has_no_curve() -> None:
    assert roc(SCORES, np.zeros(200, bool)) is None
    assert precision_recall(SCORES, np.zeros(200, bool)) is None
    assert at_specificity(SCORES, np.ones(200, bool), least=0.9) is None


@given(st.floats(0.5, 0.99), st.integers(0, 50))
def test_the_operating_point_keeps_its_specificity_with_the_most_sensitivity(least: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.permutation(np.arange(40) < 15)
    scores = rng.integers(0, 10, 40) / 10  # with ties
    point = at_specificity(scores, truth, least=least)
    assert point is not None
    assert point.specificity.value >= least
    assert point.sensitivity.value == pytest.approx((scores[truth] >= point.threshold).mean())
    lower = scores[scores < point.threshold]
    if len(lower):  # the next lower threshold would call too many of the others
        assert (scores[~truth] < lower.max()).mean() < least


@pytest.mark.parametrize("task", ["multiclass", "multilabel"])
def test_the_bins_give_the_calibration_error(task: str) -> None:
    logits = RNG.normal(size=(300, 3)) * 2
    targets = np.eye(3, dtype=np.uint8)[RNG.integers(0, 3, 300)]
    odds = np.exp(logits)
    probabilities = odds / odds.sum(axis=1, keepdims=True) if task == "multiclass" else odds / (1 + odds)
    bins = reliability(probabilities, targets, task=task)  # type: ignore[arg-type]
    expected = expected_calibration_error(logits, targets, task=task)  # type: ignore[arg-type]
    assert calibration_error(bins) == pytest.approx(expected, abs=1e-9)
    assert sum(part.size for part in bins) == (300 if task == "multiclass" else 900)


def test_errors_that_are_in_doubt_come_last() -> None:
    wrong = np.array([True, False, False, True])
    curve = risk_coverage(np.array([0.9, 0.1, 0.2, 0.8]), wrong)
    assert curve.x.tolist() == [0.25, 0.5, 0.75, 1.0]
    assert curve.y.tolist() == pytest.approx([0, 0, 1 / 3, 0.5])


def test_precision_and_recall_are_those_of_scikit_learn_from_low_recall_to_high() -> None:
    curve = precision_recall(SCORES, TRUTH)
    assert curve is not None
    precision, recall, _ = precision_recall_curve(TRUTH, SCORES)
    assert curve.x.tolist() == recall[::-1].tolist()
    assert curve.y.tolist() == precision[::-1].tolist()


def test_certain_answers_have_a_bin_of_their_own() -> None:
    sure = np.array([[1.0, 0.0], [0.93, 0.07], [0.85, 0.15]])
    bins = reliability(sure, np.array([[1, 0], [1, 0], [0, 1]], np.uint8), task="multiclass")
    assert [part.size for part in bins] == [1, 2]
    assert bins[1].confidence == pytest.approx(0.965)
    assert [part.observed.value for part in bins] == [0, 1]
    one = reliability(sure[:1], np.array([[0, 1]], np.uint8), task="multiclass")
    assert calibration_error(one) == 1
    assert calibration_error([]) == 0


def test_images_in_equal_doubt_keep_their_order() -> None:
    wrong = np.arange(40) % 3 == 0
    assert risk_coverage(np.ones(40), wrong).y.tolist() == (np.cumsum(wrong) / np.arange(1, 41)).tolist()
