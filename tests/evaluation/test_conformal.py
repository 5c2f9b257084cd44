from __future__ import annotations

import numpy as np
import pytest

from cass.evaluation.conformal import fit_safeguards, prediction_sets, set_threshold


def draw(rng: np.random.Generator, groups: int, *, size: int = 5) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Patients whose images are about as hard as each other; returns probabilities, labels and patients."""
    codes = np.repeat(np.arange(groups), size)
    labels = rng.integers(0, 3, groups)[codes]
    strength = rng.normal(1.0, 1.0, groups)[codes] + 0.3 * rng.normal(size=len(codes))
    logits = 0.3 * rng.normal(size=(len(codes), 3))
    logits[np.arange(len(codes)), labels] += strength
    odds = np.exp(logits)
    return odds / odds.sum(axis=1, keepdims=True), labels, codes


def test_sets_hold_the_label_of_new_patients_as_often_as_stated() -> None:
    rng = np.random.default_rng(0)
    covered, sizes = [], []
    for _ in range(300):
        probabilities, labels, codes = draw(rng, 40)
        least = set_threshold(probabilities[np.arange(len(labels)), labels], codes, coverage=0.9)
        new, truth, _ = draw(rng, 1, size=1)
        inside = prediction_sets(new, least)
        covered.append(inside[0, truth[0]])
        sizes.append(inside.sum())
    assert np.mean(covered) > 0.9 - 3 * np.sqrt(0.9 * 0.1 / 300)
    assert np.mean(sizes) < 2.9  # it is not bought with all classes


def test_too_few_patients_rule_nothing_out() -> None:
    true = np.full(40, 0.9)
    assert set_threshold(true, np.repeat(np.arange(8), 5), coverage=0.9) is None
    assert set_threshold(true, np.repeat(np.arange(9), 5)[:40], coverage=0.9) is None  # eight of them
    assert set_threshold(np.full(45, 0.9), np.repeat(np.arange(9), 5), coverage=0.9) == pytest.approx(0.9)
    assert prediction_sets(np.array([[0.98, 0.01, 0.01]]), None).all()


def test_the_likeliest_class_is_always_in_the_set() -> None:
    assert prediction_sets(np.array([[0.4, 0.35, 0.25]]), 0.9).tolist() == [[True, False, False]]


def test_safeguards_of_few_or_multi_label_images() -> None:
    rng = np.random.default_rng(0)
    probabilities, labels, codes = draw(rng, 12)
    truth = np.eye(3, dtype=np.uint8)[labels]
    doubt = rng.random(60)
    found = fit_safeguards(probabilities, truth, codes, doubt, task="multiclass")
    assert found.groups == 12
    assert found.least is not None
    assert found.doubt is not None
    assert (doubt > found.doubt).mean() == pytest.approx(0.2, abs=0.02)
    few = fit_safeguards(probabilities[:10], truth[:10], codes[:10], doubt[:10], task="multilabel")
    assert (few.least, few.doubt) == (None, None)


def test_the_threshold_by_hand() -> None:
    # Nine groups of one image: 0.9 of ten is reached with the ninth, the strangest.
    true = np.linspace(0.1, 0.9, 9)
    assert set_threshold(true, np.arange(9), coverage=0.9) == pytest.approx(0.1)
    # Twenty groups: the nineteenth of them reaches 19/21; a group of four weighs as much as one of one.
    true = np.concatenate([np.full(4, 0.05), np.linspace(0.1, 1.0, 19)])
    codes = np.concatenate([np.zeros(4, int), np.arange(1, 20)])
    assert set_threshold(true, codes, coverage=0.9) == pytest.approx(0.1)
    assert prediction_sets(np.array([[0.6, 0.1, 0.3]]), 0.1).tolist() == [[True, True, True]]
    several = prediction_sets(np.array([[0.6, 0.1, 0.3], [0.2, 0.3, 0.5]]), 0.99)
    assert several.tolist() == [[True, False, False], [False, False, True]]
    assert several.dtype == bool


def test_multi_label_images_and_no_images_have_no_sets() -> None:
    probabilities = np.full((30, 2), 0.8)
    labels = np.zeros((30, 2), np.uint8)
    labels[:, 0] = 1
    found = fit_safeguards(probabilities, labels, np.arange(30), np.linspace(0, 1, 30), task="multilabel")
    assert found.least is None
    assert found.doubt == pytest.approx(0.8)
    assert found.coverage == 0.9
    single = fit_safeguards(probabilities, labels, np.arange(30), np.linspace(0, 1, 30), task="multiclass")
    assert single.least == pytest.approx(0.8)
    twenty = fit_safeguards(probabilities[:20], labels[:20], np.arange(20), np.ones(20), task="multilabel")
    assert twenty.doubt == 1
    none = np.zeros((0, 2))
    empty = fit_safeguards(none, none.astype(np.uint8), np.zeros(0, int), np.zeros(0), task="multiclass")
    assert (empty.least, empty.groups, empty.doubt) == (None, 0, None)
