from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import expit, softmax

from cass.evaluation.cross_teaching import (
    SHARE,
    WEIGHT,
    WIDTH,
    Judgement,
    Pupil,
    choose,
    hard_labels,
    judge,
    teach,
)
from cass.evaluation.logistic import log_loss
from cass.evaluation.probe import Split, scalings
from cass.types import Task

WEIGHTS = np.ones(2)


def two_views(
    *, labelled: int = 6, unlabelled: int = 300, noise: float = 1.0, task: str = "multiclass"
) -> tuple[dict, np.ndarray, dict, np.ndarray]:
    """Two views of the same classes whose errors are independent, as co-training assumes."""
    rng = np.random.default_rng(3)
    count = labelled + unlabelled + 400
    kinds = np.arange(count) % 2
    labels = np.eye(2, dtype=np.uint8)[kinds]
    views = {}
    for name in ("cnn", "transformer"):
        direction = rng.normal(size=20)
        signal = np.where(kinds, 1.0, -1.0)[:, None] * direction / np.linalg.norm(direction) * 1.6
        views[name] = signal + noise * rng.normal(size=(count, 20))
    pupils = {}
    for name, view in views.items():
        isotropic, _ = scalings(view[: labelled + unlabelled])
        pupils[name] = Pupil(view[:labelled], view[labelled : labelled + unlabelled], isotropic)
    held = {name: view[labelled + unlabelled :] for name, view in views.items()}
    return pupils, labels[:labelled], held, labels[labelled + unlabelled :]


def accuracy(classifiers: dict, held: dict, labels: np.ndarray) -> float:
    logits = sum(classifiers[name].logits(held[name]) for name in held)
    return float((logits.argmax(axis=1) == labels.argmax(axis=1)).mean())


def test_two_views_teach_each_other() -> None:
    pupils, labels, held, truth = two_views()
    taught = teach(pupils, labels, task="multiclass", weights=WEIGHTS)
    before, after = accuracy(taught.alone, held, truth), accuracy(taught.classifiers, held, truth)
    assert after > before + 0.02
    assert after > 0.95
    for lesson in taught.lessons.values():
        assert len(lesson.rows) <= round(SHARE * 300) + 1
        assert set(np.unique(lesson.shares)) == {WEIGHT}


def test_the_same_labels_teach_the_same() -> None:
    pupils, labels, _, _ = two_views()
    first, second = (teach(pupils, labels, task="multiclass", weights=WEIGHTS) for _ in range(2))
    for name in pupils:
        assert (first.classifiers[name].weight == second.classifiers[name].weight).all()
        assert (first.lessons[name].rows == second.lessons[name].rows).all()


def test_labels_that_occur_together_are_taught_one_by_one() -> None:
    pupils, labels, held, truth = two_views(labelled=12)
    both = np.concatenate([labels[:, 1:], np.ones((12, 1), np.uint8)], axis=1)  # the second is always there
    taught = teach(pupils, both, task="multilabel", weights=WEIGHTS)
    logits = sum(taught.classifiers[name].logits(held[name]) for name in held)
    assert ((logits[:, 0] > 0) == truth[:, 1]).mean() > 0.9
    assert (logits[:, 1] > 0).all()


def folds(count: int) -> list[Split]:
    rows = np.arange(count)
    return [Split(rows[rows % 3 != part], rows[rows % 3 == part]) for part in range(3)]


def test_teaching_that_helps_is_kept() -> None:
    pupils, labels, _, _ = two_views(labelled=24)
    found = judge(pupils, labels, folds(24), task="multiclass", weights=WEIGHTS)
    assert found.helps
    assert found.taught <= found.alone + found.error
    assert len(found.rows) == 24
    assert found.logits["cnn"].shape == (24, 2)


@pytest.mark.parametrize("seed", range(3))
def test_labels_of_noise_are_vetoed(seed: int) -> None:
    """Labels that the images do not tell: pseudo-labels only make them surer of it."""
    pupils, *_ = two_views(labelled=60)
    noise = np.eye(2, dtype=np.uint8)[np.random.default_rng(seed).permutation(np.arange(60) % 2)]
    assert not judge(pupils, noise, folds(60), task="multiclass", weights=WEIGHTS).helps


def test_without_anything_held_out_there_is_no_judgement() -> None:
    pupils, labels, _, _ = two_views()
    found = judge(pupils, labels, [], task="multiclass", weights=WEIGHTS)
    assert not found.helps
    assert np.isnan(found.alone)


@given(
    arrays(np.float64, (40, 3), elements=st.floats(0.01, 1.0)),
    arrays(np.float64, 3, elements=st.floats(0.05, 1.0)),
    st.floats(0.1, 1.0),
)
def test_every_class_gets_at_most_its_share(values: np.ndarray, prior: np.ndarray, share: float) -> None:
    told, prior = values / values.sum(axis=1, keepdims=True), prior / prior.sum()
    lesson = choose(told, prior, share=share, task="multiclass")
    counts = hard_labels(lesson.targets, task="multiclass").sum(axis=0)
    assert (counts <= np.round(share * 40 * prior)).all()
    chosen = np.isin(np.arange(40), lesson.rows)
    for index in range(3):  # nobody left out was surer
        own = told.argmax(axis=1) == index
        if (own & chosen).any() and (own & ~chosen).any():
            assert told[own & chosen, index].min() >= told[own & ~chosen, index].max()


def test_multi_label_choice_by_hand() -> None:
    told = np.array([[0.9, 0.2], [0.5, 0.4], [0.45, 0.1], [0.05, 0.6]])
    # Half of the four images: label 0 is on two of three labelled ones, label 1 on a quarter.
    lesson = choose(told, np.array([0.5, 0.25]), share=1.0, task="multilabel")
    assert lesson.rows.tolist() == [0, 1, 2, 3]
    assert lesson.shares.tolist() == [[WEIGHT, WEIGHT], [WEIGHT, WEIGHT], [WEIGHT, WEIGHT], [WEIGHT, WEIGHT]]
    lesson = choose(told, np.array([0.25, 0.0]), share=1.0, task="multilabel")
    # Label 0: the likeliest, and three of the two below a half; label 1: four of the three below a half.
    assert lesson.shares.tolist() == [[WEIGHT, WEIGHT], [0, WEIGHT], [WEIGHT, WEIGHT], [WEIGHT, 0]]
    few = choose(told, np.array([0.25, 0.25]), share=0.5, task="multilabel")
    # Label 0: half an image, rounded to none, and the two least likely; label 1: none, and the two least likely.
    assert few.rows.tolist() == [0, 2, 3]
    assert few.shares.tolist() == [[0, WEIGHT], [WEIGHT, WEIGHT], [WEIGHT, 0]]
    assert few.targets.tolist() == told[[0, 2, 3]].tolist()


def test_equally_sure_images_are_taken_in_their_order() -> None:
    lesson = choose(np.full((40, 1), 0.75), np.ones(1), share=0.25, task="multiclass")
    assert lesson.rows.tolist() == list(range(10))


def test_hard_labels_are_those_of_the_likeliest_class_or_of_a_half_and_more() -> None:
    told = np.array([[0.5, 0.3, 0.2], [0.1, 0.2, 0.7]])
    for task, expected in (
        ("multiclass", [[1, 0, 0], [0, 0, 1]]),
        ("multilabel", [[1, 0, 0], [0, 0, 1]]),
    ):
        labels = hard_labels(told, task=task)
        assert labels.tolist() == expected
        assert labels.dtype == np.uint8


def test_half_of_the_images_are_taught_in_the_last_round() -> None:
    pupils, labels, _, _ = two_views(labelled=20)
    taught = teach(pupils, labels, task="multiclass", weights=WEIGHTS)
    for name in pupils:
        assert len(taught.lessons[name].rows) == pytest.approx(SHARE * 300, abs=25)
    assert SHARE == 0.5
    # What the last round taught is what its classifiers were fitted to, with the weight of a pseudo-label.
    name, other = pupils
    lesson = taught.lessons[name]
    part = pupils[name]
    every = np.concatenate([part.labelled, part.unlabelled[lesson.rows]])
    truth = np.concatenate([labels, hard_labels(lesson.targets, task="multiclass")])
    logits = taught.classifiers[name].logits(every)
    chances = np.exp(logits - logits.max(axis=1, keepdims=True))
    chances /= chances.sum(axis=1, keepdims=True)
    weights = np.concatenate([np.ones(20), np.full(len(lesson.rows), WEIGHT)])
    # The bias has no penalty, so that its gradient is zero.
    assert (weights @ (chances - truth)) == pytest.approx(0, abs=0.05)
    assert other in taught.lessons


def judged(task: Task, factor: float = 1.0) -> tuple[Judgement, np.ndarray]:
    pupils, labels, _, _ = two_views(labelled=30)
    pupils = {name: pupil._replace(labelled=factor * pupil.labelled) for name, pupil in pupils.items()}
    return judge(pupils, labels, folds(30), task=task, weights=WEIGHTS), labels


@pytest.mark.parametrize("task", ["multiclass", "multilabel"])
def test_the_judgement_by_hand(task: Task) -> None:
    found, labels = judged(task)
    truth = labels[found.rows]
    means = []
    for logits in found.logits.values():
        grid = np.exp(np.linspace(-3, 6, 4001))
        best = grid[np.argmin([log_loss(logits / t, truth, task=task) for t in grid])]
        means.append(softmax(logits / best, axis=1) if task == "multiclass" else expit(logits / best))
    mean = np.mean(means, axis=0)
    true = np.where(truth == 1, mean, 1 - mean)
    losses = -np.log(true).mean(axis=1) if task == "multilabel" else -np.log((mean * truth).sum(axis=1))
    assert found.taught == pytest.approx(losses.mean(), rel=1e-3)
    assert found.guessing == pytest.approx(np.log(2))
    assert sorted(found.rows) == list(range(30))
    assert 0 < found.error < 1


def test_guessing_among_three_classes_and_of_labels() -> None:
    pupils, labels, _, _ = two_views(labelled=30)
    three = np.concatenate([labels, np.zeros((30, 1), np.uint8)], axis=1)
    weights = np.ones(3)
    for task, guessing in (("multiclass", np.log(3)), ("multilabel", np.log(2))):
        assert judge(pupils, three, folds(30), task=task, weights=weights).guessing == pytest.approx(guessing)


def test_one_held_out_image_proves_nothing() -> None:
    pupils, labels, _, _ = two_views(labelled=30)
    split = Split(np.arange(29), np.array([29]))
    found = judge(pupils, labels, [split], task="multiclass", weights=WEIGHTS)
    assert found.error == np.inf
    assert not found.helps
    two = judge(pupils, labels, [Split(np.arange(28), np.array([28, 29]))], task="multiclass", weights=WEIGHTS)
    assert np.isfinite(two.error)
    none = judge(pupils, labels, [], task="multiclass", weights=WEIGHTS)
    assert (none.helps, none.logits, none.rows.shape, none.rows.dtype) == (False, {}, (0,), np.int64)
    assert np.isnan([none.alone, none.taught, none.error, none.guessing]).all()


def test_wide_embeddings_keep_their_main_axes() -> None:
    rng = np.random.default_rng(0)
    kinds = np.arange(400) % 2
    wide = rng.normal(size=(400, WIDTH + 60))
    wide[:, 0] = 30 * np.where(kinds, 1, -1)
    pupils = {}
    for name in ("cnn", "transformer"):
        isotropic, _ = scalings(wide)
        pupils[name] = Pupil(wide[:10], wide[10:], isotropic)
    taught = teach(pupils, np.eye(2, dtype=np.uint8)[kinds[:10]], task="multiclass", weights=WEIGHTS)
    assert accuracy(taught.alone, {"cnn": wide}, np.eye(2)[kinds]) == 1
