from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cass.evaluation.cross_teaching import SHARE, WEIGHT, Pupil, choose, hard_labels, judge, teach
from cass.evaluation.probe import Split, scalings

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
