"""Every metric against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from cass.evaluation.metrics import balanced_accuracy, count_metrics, predicted_labels, ranking_metrics


def example(
    seed: int, *, classes: int = 4, count: int = 60, multilabel: bool = False, ties: bool = True
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probabilities with ties, labels of imbalanced classes, and integer weights."""
    rng = np.random.default_rng(seed)
    scores = rng.random((count, classes))
    if ties:
        scores = scores.round(1)
    if multilabel:
        targets = (rng.random((count, classes)) < np.linspace(0.2, 0.7, classes)).astype(np.uint8)
    else:
        labels = rng.choice(classes, size=count, p=np.arange(1, classes + 1) / np.arange(1, classes + 1).sum())
        targets = np.eye(classes, dtype=np.uint8)[labels]
    return scores, targets, rng.integers(0, 4, count).astype(float)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 5))
def test_multiclass_counts_agree_with_scikit_learn(seed: int, classes: int) -> None:
    scores, targets, weights = example(seed, classes=classes)
    predicted = predicted_labels(scores, task="multiclass")
    truth, chosen = targets.argmax(1), predicted.argmax(1)
    ours = count_metrics(predicted, targets, np.stack([np.ones(len(truth)), weights]), task="multiclass")
    for row, weight in enumerate((None, weights)):
        used = slice(None) if weight is None else weight > 0
        expected = {
            "accuracy": sk.accuracy_score(truth, chosen, sample_weight=weight),
            "balanced_accuracy": sk.recall_score(
                truth, chosen, sample_weight=weight, average="macro", labels=np.unique(truth[used])
            ),
            "micro_f1": sk.f1_score(truth, chosen, sample_weight=weight, average="micro"),
            "macro_f1": sk.f1_score(
                truth[used],
                chosen[used],
                sample_weight=None if weight is None else weight[used],
                average="macro",
                labels=np.union1d(truth[used], chosen[used]),
                zero_division=0,
            ),
        }
        for name, value in expected.items():
            assert ours[name][row] == pytest.approx(value, abs=1e-10), name
    recall = sk.recall_score(truth, chosen, average=None, labels=range(classes), zero_division=np.nan)
    np.testing.assert_allclose(ours["recall"][0], recall, atol=1e-10)
    there = np.isin(range(classes), truth)
    precision = sk.precision_score(truth, chosen, average=None, labels=range(classes), zero_division=0)
    np.testing.assert_allclose(ours["precision"][0][there], precision[there], atol=1e-10)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.booleans(), st.booleans())
def test_ranking_agrees_with_scikit_learn(seed: int, multilabel: bool, ties: bool) -> None:
    scores, targets, weights = example(seed, multilabel=multilabel, ties=ties)
    ours = ranking_metrics(scores, targets, np.stack([np.ones(len(weights)), weights]))
    for row, weight in enumerate((np.ones(len(weights)), weights)):
        for k in range(targets.shape[1]):
            if len(np.unique(targets[weight > 0, k])) < 2:
                assert np.isnan(ours["auroc"][row, k])
                continue
            auroc = sk.roc_auc_score(targets[:, k], scores[:, k], sample_weight=weight)
            precision = sk.average_precision_score(targets[:, k], scores[:, k], sample_weight=weight)
            assert ours["auroc"][row, k] == pytest.approx(auroc, abs=1e-10)
            assert ours["average_precision"][row, k] == pytest.approx(precision, abs=1e-10)
        assert ours["macro_auroc"][row] == pytest.approx(np.nanmean(ours["auroc"][row]), abs=1e-12)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_multilabel_counts_agree_with_scikit_learn(seed: int) -> None:
    scores, targets, _ = example(seed, multilabel=True)
    predicted = predicted_labels(scores, task="multilabel")
    ours = count_metrics(predicted, targets, np.ones((1, len(targets))), task="multilabel")
    balanced = [sk.balanced_accuracy_score(targets[:, k], predicted[:, k]) for k in range(targets.shape[1])]
    assert ours["accuracy"][0] == pytest.approx(sk.accuracy_score(targets, predicted))
    assert ours["balanced_accuracy"][0] == pytest.approx(np.mean(balanced))
    assert ours["macro_f1"][0] == pytest.approx(sk.f1_score(targets, predicted, average="macro", zero_division=0))
    assert ours["micro_f1"][0] == pytest.approx(sk.f1_score(targets, predicted, average="micro"))


def test_balanced_accuracy_is_not_micro_recall() -> None:
    targets = np.eye(2, dtype=np.uint8)[[0] * 9 + [1]]
    majority = np.tile([0.9, 0.1], (10, 1))
    assert balanced_accuracy(majority, targets, task="multiclass") == pytest.approx(0.5)
    weights = np.ones((1, 10))
    counted = count_metrics(predicted_labels(majority, task="multiclass"), targets, weights, task="multiclass")
    assert counted["accuracy"][0] == pytest.approx(0.9)


def test_what_is_undefined_is_nan_without_a_warning(recwarn: pytest.WarningsRecorder) -> None:
    targets = np.eye(4, dtype=np.uint8)[[0, 0, 1, 1]]
    predicted = np.eye(4, dtype=bool)[[0, 1, 1, 3]]
    weights = np.array([[1.0, 1, 1, 1], [1, 1, 0, 0], [0, 0, 0, 0]])
    found = count_metrics(predicted, targets, weights, task="multiclass")
    # Class 2 neither occurs nor is predicted; class 3 is predicted without occurring.
    np.testing.assert_array_equal(found["precision"][0], [1, 0.5, np.nan, 0])
    np.testing.assert_array_equal(found["recall"][0], [0.5, 0.5, np.nan, np.nan])
    np.testing.assert_allclose(found["f1"][0], [2 / 3, 0.5, np.nan, 0])
    # Only the first two images: class 0 occurs once more than it is predicted.
    np.testing.assert_array_equal(found["precision"][1], [1, 0, np.nan, np.nan])
    np.testing.assert_array_equal(found["specificity"][1], [np.nan, 0.5, 1, 1])
    for values in found.values():
        assert np.isnan(values[2]).all()
    never = count_metrics(
        np.eye(2, dtype=bool)[[0, 0, 0]], np.eye(2, dtype=np.uint8)[[0, 0, 1]], np.ones((1, 3)), task="multiclass"
    )
    np.testing.assert_allclose(never["precision"][0], [2 / 3, 0])
    scores = np.array([[0.9], [0.4], [0.4], [0.1]])
    truth = np.array([[1], [0], [1], [0]], np.uint8)
    ranked = ranking_metrics(
        scores, truth, np.array([[1.0, 1, 1, 1], [1, 0, 1, 0], [0, 1, 0, 1], [0, 1, 1, 0], [0, 0, 0, 0]])
    )
    np.testing.assert_allclose(ranked["auroc"][:, 0], [0.875, np.nan, np.nan, 0.5, np.nan])
    np.testing.assert_allclose(ranked["average_precision"][:, 0], [0.5 + 0.5 * 2 / 3, np.nan, np.nan, 0.5, np.nan])
    assert not recwarn.list


def test_a_probability_of_exactly_the_threshold_counts() -> None:
    scores = np.array([[0.5, 0.2], [0.49, 0.3]])
    assert predicted_labels(scores, task="multilabel").tolist() == [[True, False], [False, False]]
    assert predicted_labels(scores, task="multilabel", thresholds=[1, 0]).tolist() == [[False, True]] * 2
    targets = np.array([[1, 0], [0, 1]], np.uint8)
    assert balanced_accuracy(scores, targets, task="multilabel") == pytest.approx((1.0 + 0.5) / 2)
