from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from cass.evaluation.bootstrap import resample_counts
from cass.evaluation.classification import classification_report
from cass.evaluation.shares import wilson


def data(count: int = 120) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    labels = rng.choice(3, size=count, p=[0.6, 0.3, 0.1])
    scores = rng.dirichlet(np.ones(3), count)
    scores[np.arange(count), labels] += 0.4
    return scores / scores.sum(1, keepdims=True), np.eye(3, dtype=np.uint8)[labels]


def test_intervals_hold_the_estimate_and_shrink_with_more_images() -> None:
    widths = []
    for count in (60, 600):
        scores, targets = data(count)
        report = classification_report(scores, targets, classes=("a", "b", "c"), task="multiclass")
        entry = report.metrics["accuracy"]
        assert entry.low <= entry.value <= entry.high
        widths.append(entry.high - entry.low)
    assert widths[1] < 0.5 * widths[0]


def test_groups_of_like_images_widen_the_interval() -> None:
    scores, targets = data(60)
    scores, targets = np.repeat(scores, 5, axis=0), np.repeat(targets, 5, axis=0)
    groups = np.repeat([f"patient{index}" for index in range(60)], 5)
    kwargs = {"classes": ("a", "b", "c"), "task": "multiclass"}
    alone = classification_report(scores, targets, **kwargs).metrics["accuracy"]
    grouped = classification_report(scores, targets, groups=groups, **kwargs)
    assert grouped.n_groups == 60
    assert grouped.metrics["accuracy"].high - grouped.metrics["accuracy"].low > 1.5 * (alone.high - alone.low)


def test_one_group_has_no_interval() -> None:
    scores, targets = data(30)
    report = classification_report(
        scores, targets, classes=("a", "b", "c"), task="multiclass", groups=np.array(["one"] * 30)
    )
    assert np.isnan(report.metrics["accuracy"].low)
    assert report.to_dict()["metrics"]["accuracy"]["low"] is None  # type: ignore[index]


def test_confusion_and_support_count_images() -> None:
    scores, targets = data()
    report = classification_report(scores, targets, classes=("a", "b", "c"), task="multiclass")
    expected = confusion_matrix(targets.argmax(1), scores.argmax(1))
    assert report.confusion.tolist() == expected.tolist()
    assert report.support == dict(zip("abc", targets.sum(0).tolist(), strict=True))
    json.dumps(report.to_dict(), allow_nan=False)


def test_multilabel_confusion_counts_each_label() -> None:
    targets = np.array([[1, 0], [1, 1], [0, 0]], dtype=np.uint8)
    scores = np.array([[0.9, 0.6], [0.2, 0.7], [0.1, 0.2]])
    report = classification_report(scores, targets, classes=("x", "y"), task="multilabel")
    assert report.confusion.tolist() == [[[1, 0], [1, 1]], [[1, 1], [0, 1]]]
    assert report.per_class["x"]["recall"].value == pytest.approx(0.5)


def test_thresholds_decide_what_is_predicted() -> None:
    scores, targets = np.array([[0.2, 0.9], [0.4, 0.6]]), np.array([[0, 1], [1, 0]], np.uint8)
    kwargs = {"classes": ("a", "b"), "task": "multilabel", "resamples": 100}
    plain = classification_report(scores, targets, **kwargs)
    chosen = classification_report(scores, targets, **kwargs, thresholds=[0.3, 0.7])
    assert (plain.metrics["accuracy"].value, chosen.metrics["accuracy"].value) == (0.5, 1)
    assert (plain.to_dict()["thresholds"], chosen.to_dict()["thresholds"]) == (None, [0.3, 0.7])


def test_the_report_as_plain_values() -> None:
    targets = np.eye(2, dtype=np.uint8)[[0, 0, 1, 1, 1, 0]]
    scores = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.3, 0.7], [0.45, 0.55], [0.8, 0.2]])
    groups = np.array(["p", "p", "q", "q", "", "r"])
    report = classification_report(
        scores, targets, classes=("a", "b"), task="multiclass", groups=groups, resamples=200, seed=3
    )
    values = report.to_dict()
    intervals = {name: values.pop(name) for name in ("metrics", "per_class")}
    assert values == {
        "classes": ["a", "b"],
        "task": "multiclass",
        "n_images": 6,
        "n_groups": 4,
        "resamples": 200,
        "seed": 3,
        "support": {"a": 3, "b": 3},
        "confusion": [[2, 1], [0, 3]],
        "thresholds": None,
    }
    accuracy = wilson(5 / 6, 4)
    assert intervals["metrics"]["accuracy"] == {  # type: ignore[index]
        "value": pytest.approx(5 / 6),
        "low": accuracy.low,
        "high": accuracy.high,
    }
    assert intervals["metrics"]["micro_f1"] == intervals["metrics"]["accuracy"]  # type: ignore[index]
    recall, precision = wilson(2 / 3, 2), wilson(3 / 4, 3)
    assert intervals["per_class"]["a"]["recall"]["low"] == recall.low  # type: ignore[index]
    assert intervals["per_class"]["b"]["precision"]["high"] == precision.high  # type: ignore[index]
    assert set(report.draws) == set(intervals["metrics"])  # type: ignore[call-overload]
    assert report.draws["accuracy"].shape == (200,)


def test_the_draws_are_those_of_the_seed_whatever_fits_into_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    scores, targets = data()
    kwargs = {"classes": ("a", "b", "c"), "task": "multiclass"}
    whole = classification_report(scores, targets, **kwargs)
    assert (whole.resamples, whole.seed, whole.n_groups) == (1000, 0, None)
    weights = resample_counts(np.arange(120), resamples=1000, seed=0)
    right = scores.argmax(1) == targets.argmax(1)
    assert whole.draws["accuracy"] == pytest.approx(weights @ right / 120)
    monkeypatch.setattr("cass.evaluation.classification.CHUNK_CELLS", 700)
    parts = classification_report(scores, targets, **kwargs)
    for name, draws in whole.draws.items():
        np.testing.assert_array_equal(parts.draws[name], draws)
    other = classification_report(scores, targets, **kwargs, seed=1)
    assert (other.draws["accuracy"] != whole.draws["accuracy"]).any()


def test_multi_label_intervals_where_all_is_right() -> None:
    targets = np.array([[1, 0], [1, 0], [1, 1], [0, 1], [0, 1]], np.uint8)
    report = classification_report(targets * 0.9, targets, classes=("x", "y"), task="multilabel")
    found = report.metrics["balanced_accuracy"]
    cases = [3, 3, 2, 2]  # images with x, with y, without x, without y
    below = np.sqrt(sum((1 - wilson(1.0, count).low) ** 2 for count in cases)) / 4
    assert (found.value, found.low, found.high) == pytest.approx((1, 1 - below, 1))
    # Micro F1 of several labels is no share of images: Wilson's interval does not hold for it.
    assert np.isnan(report.metrics["micro_f1"].low)
    assert report.metrics["accuracy"].low == pytest.approx(wilson(1.0, 5).low)
    assert report.n_groups is None
