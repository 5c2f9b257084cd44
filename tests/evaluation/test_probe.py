from __future__ import annotations

import time

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, softmax
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss as sklearn_log_loss
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

from cass.evaluation.logistic import UNSEEN_LOGIT, LogisticFits, log_loss
from cass.evaluation.probe import (
    FOLD_PENALTIES,
    PENALTIES,
    Probe,
    Split,
    fit_probe,
    probe_folds,
    same_priors,
    scalings,
)


def blobs(count: int, *, width: int, classes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Overlapping clusters far from the origin, with features of very different spread."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(classes, width))
    kind = np.arange(count) % classes
    spread = np.logspace(-2, 2, width)
    values = (centres[kind] + rng.normal(size=(count, width))) * spread + 7 * spread
    return values.astype(np.float32), np.eye(classes, dtype=np.uint8)[kind]


def probe_of(
    count: int, *, width: int, classes: int, task: str = "multiclass", weights=None
) -> tuple[Probe, tuple]:
    x, y = blobs(count, width=width, classes=classes)
    held, held_y = blobs(60, width=width, classes=classes, seed=1)
    if task == "multilabel":
        y, held_y = (np.maximum(t, np.roll(t, 1, axis=0)) for t in (y, held_y))
    probe = fit_probe(x, y, validation=held, validation_targets=held_y, task=task, weights=weights)
    return probe, (x, y, held, held_y)


def scaler(probe: Probe, sample: np.ndarray):
    """Return the function that scales embeddings as a probe does."""
    _, centre, scale = next(each for each in scalings(sample) if each.name == probe.scaling.name)
    return lambda values: (values.astype(np.float64) - centre) / scale


@pytest.mark.parametrize(("count", "width", "classes"), [(90, 6, 3), (24, 80, 4), (40, 5, 2), (12, 90, 2)])
def test_multi_class_is_what_scikit_learn_fits_on_scaled_features(count: int, width: int, classes: int) -> None:
    weights = np.linspace(0.5, 2.0, classes)
    probe, (x, y, held, _) = probe_of(count, width=width, classes=classes, weights=weights)
    scale = scaler(probe, x)
    kinds = y.argmax(axis=1)
    model = LogisticRegression(C=1 / (probe.penalty * weights[kinds].sum()), tol=1e-8, max_iter=10_000)
    model.fit(scale(x), kinds, sample_weight=weights[kinds])
    expected = model.predict_proba(scale(held))
    np.testing.assert_allclose(softmax(probe.logits(held), axis=1), expected, atol=2e-3)


def test_multi_label_is_a_regression_for_each_label() -> None:
    weights = np.array([1.0, 3.0, 0.5])
    probe, (x, y, held, _) = probe_of(80, width=6, classes=3, task="multilabel", weights=weights)
    scale = scaler(probe, x)
    for label in range(3):
        counted = np.where(y[:, label] > 0, weights[label], 1.0)
        model = LogisticRegression(C=1 / (probe.penalty * counted.sum()), tol=1e-8, max_iter=10_000)
        model.fit(scale(x), y[:, label], sample_weight=counted)
        expected = model.predict_proba(scale(held))[:, 1]
        np.testing.assert_allclose(expit(probe.logits(held)[:, label]), expected, atol=2e-3)


def test_the_penalty_is_the_one_of_the_lowest_validation_loss() -> None:
    probe, (_, _, held, held_y) = probe_of(60, width=40, classes=3)
    assert probe.penalty == min(probe.losses, key=lambda strength: (probe.losses[strength], -strength))
    expected = sklearn_log_loss(held_y, softmax(probe.logits(held), axis=1))
    assert probe.losses[probe.penalty] == pytest.approx(expected, rel=1e-6)
    assert list(probe.losses) == list(PENALTIES[: len(probe.losses)])


def test_it_is_a_linear_layer() -> None:
    probe, (_, _, held, _) = probe_of(60, width=20, classes=3)
    layer = torch.nn.Linear(20, 3, dtype=torch.float64)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(probe.weight))
        layer.bias.copy_(torch.from_numpy(probe.bias))
        logits = layer(torch.from_numpy(held.astype(np.float64))).numpy()
    np.testing.assert_allclose(logits, probe.logits(held), atol=1e-6)


@settings(max_examples=6, deadline=None)
@given(
    scale=st.floats(0.01, 100.0),
    shift=st.floats(-50.0, 50.0),
    task=st.sampled_from(["multiclass", "multilabel"]),
    width=st.sampled_from([3, 40]),
)
def test_units_and_origin_of_the_embeddings_do_not_matter(
    scale: float, shift: float, task: str, width: int
) -> None:
    x, y = (
        array.astype(kind)
        for array, kind in zip(blobs(30, width=width, classes=3), (float, np.uint8), strict=True)
    )
    held, held_y = blobs(30, width=width, classes=3, seed=1)
    plain = fit_probe(x, y, validation=held, validation_targets=held_y, task=task)
    moved_held = held.astype(float) * scale + shift
    moved = fit_probe(x * scale + shift, y, validation=moved_held, validation_targets=held_y, task=task)
    assert moved.penalty == plain.penalty
    np.testing.assert_allclose(moved.logits(moved_held), plain.logits(held), atol=1e-3)


def test_heavier_classes_are_predicted_more_often() -> None:
    x, y = blobs(120, width=3, classes=3)
    keep = np.flatnonzero((y[:, 2] == 0) | (np.arange(120) < 15))
    none = (np.zeros((0, 3)), np.zeros((0, 3), np.uint8))
    shares = []
    for weights in (None, np.array([1.0, 1.0, 8.0])):
        probe = fit_probe(
            x[keep], y[keep], validation=none[0], validation_targets=none[1], task="multiclass", weights=weights
        )
        shares.append((probe.logits(x).argmax(axis=1) == 2).mean())
    assert shares[1] > shares[0]


@pytest.mark.parametrize("task", ["multiclass", "multilabel"])
@pytest.mark.parametrize("width", [3, 1280])
def test_four_labels_are_enough(task: str, width: int) -> None:
    x, y = blobs(4, width=width, classes=2)
    held, held_y = blobs(8, width=width, classes=2, seed=1)
    probe = fit_probe(x, y, validation=held, validation_targets=held_y, task=task)
    assert (probe.weight.shape, probe.bias.shape) == ((2, width), (2,))
    assert np.isfinite(probe.weight).all()
    assert (probe.logits(x).argmax(axis=1) == y.argmax(axis=1)).all()


def test_a_class_without_an_image_is_never_predicted() -> None:
    x, y = blobs(20, width=6, classes=2)
    held, held_y = blobs(20, width=6, classes=2, seed=1)
    wide, held_wide = (np.insert(t, 1, 0, axis=1) for t in (y, held_y))
    held_wide[0] = [0, 1, 0]  # an image of the unseen class must not decide the strength either
    probe = fit_probe(x, wide, validation=held, validation_targets=held_wide, task="multiclass")
    assert probe.weight.shape == (3, 6)
    np.testing.assert_allclose(probe.logits(held)[:, 1], -UNSEEN_LOGIT, atol=1e-9)
    narrow = fit_probe(x, y, validation=held[1:], validation_targets=held_y[1:], task="multiclass")
    assert probe.penalty == narrow.penalty


def test_one_class_alone_is_always_predicted() -> None:
    x, _ = blobs(5, width=6, classes=2)
    y = np.tile(np.array([[0, 1, 0]], np.uint8), (5, 1))
    probe = fit_probe(x, y, validation=x, validation_targets=y, task="multiclass")
    assert (probe.logits(x).argmax(axis=1) == 1).all()
    labels = fit_probe(x, y, validation=x, validation_targets=y, task="multilabel")
    np.testing.assert_allclose(labels.logits(x), np.tile([-30.0, 30.0, -30.0], (5, 1)), atol=1e-9)


def test_features_without_spread_do_no_harm() -> None:
    x, y = blobs(20, width=6, classes=2)
    x[:, 2] = 123.456
    held, held_y = blobs(20, width=6, classes=2, seed=1)
    probe = fit_probe(x, y, validation=held, validation_targets=held_y, task="multiclass")
    assert np.isfinite(probe.weight).all()
    assert (probe.weight[:, 2] == 0).all()


def test_many_dimensions_take_no_time() -> None:
    x, y = blobs(20, width=1280, classes=5)
    started = time.perf_counter()
    fit_probe(x, y, validation=x, validation_targets=y, task="multiclass")
    assert time.perf_counter() - started < 5


def test_scalings_are_isotropic_or_by_feature_and_use_the_sample() -> None:
    x, _ = blobs(50, width=5, classes=2)
    isotropic, standardised = scalings(x)
    assert len(set(isotropic.scale)) == 1
    np.testing.assert_allclose(standardised.scale, x.astype(float).std(axis=0))
    np.testing.assert_allclose(np.square((x - isotropic.centre) / isotropic.scale).mean(), 1, rtol=1e-5)


def test_the_scaling_that_predicts_better_is_chosen() -> None:
    rng = np.random.default_rng(0)
    kinds = np.arange(60) % 2
    y = np.eye(2, dtype=np.uint8)[kinds]
    signal, noise = (2 * kinds - 1)[:, None] + 0.3 * rng.normal(size=(60, 1)), rng.normal(size=(60, 200))
    for weight, expected in ((5.0, "isotropic"), (0.02, "standardised")):
        x = np.concatenate([weight * signal, noise], axis=1)
        if expected == "standardised":
            x = np.concatenate([weight * np.repeat(signal, 100, axis=1), noise], axis=1)
        found = fit_probe(x[:30], y[:30], validation=x[30:], validation_targets=y[30:], task="multiclass")
        assert found.scaling.name == expected


@pytest.mark.parametrize("task", ["multiclass", "multilabel"])
def test_folds_hold_every_image_out_once_and_divide_no_group(task: str) -> None:
    x, y = blobs(40, width=8, classes=2)
    codes = np.arange(40) // 4
    given = {"validation": x[30:], "validation_targets": y[30:], "task": task, "codes": codes}
    probe = fit_probe(x[:30], y[:30], pooled=True, **given)
    assert sorted(probe.held_rows.tolist()) == list(range(40))
    assert set(probe.losses) <= set(FOLD_PENALTIES)
    loss = log_loss(probe.held, y[probe.held_rows], task=task)
    assert loss == pytest.approx(probe.losses[probe.penalty])
    alone = fit_probe(x[:30], y[:30], **given)  # the same choice, fitted to the training images alone
    assert (alone.penalty, alone.scaling.name) == (probe.penalty, probe.scaling.name)
    assert alone.held_rows.tolist() == list(range(30, 40))
    np.testing.assert_allclose(alone.held, alone.logits(x[30:]), atol=1e-6)


@pytest.mark.parametrize("task", ["multiclass", "multilabel"])
def test_weights_of_the_folds_become_those_of_the_training_images(task: str) -> None:
    x, y = blobs(40, width=8, classes=2)
    uneven = np.argsort(y[:, 0] + np.random.default_rng(0).random(40))  # the classes differ in their shares
    x, y = x[uneven], y[uneven]

    def balancing(labels: np.ndarray) -> np.ndarray:
        count = labels.sum(axis=0)
        return len(labels) / (2 * count) if task == "multiclass" else (len(labels) - count) / count

    given = {"validation": x[28:], "validation_targets": y[28:], "task": task, "codes": np.arange(40)}
    alone = fit_probe(x[:28], y[:28], weights=balancing(y), **given)
    features = alone.scaling.apply(x[:28])
    weight, bias = LogisticFits(features, y[:28], balancing(y[:28]), task).at(alone.penalty)
    expected, shift = alone.scaling.folded(weight, bias, None)
    np.testing.assert_allclose(alone.weight, expected, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(alone.bias, shift, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("each", [2, 3, 4])
def test_folds_of_very_few_labels(each: int) -> None:
    x, y = blobs(4 * each, width=30, classes=4)
    given = {"validation": x[:4], "validation_targets": y[:4], "task": "multiclass"}
    probe = fit_probe(x[4:], y[4:], codes=np.arange(4 * each), pooled=True, **given)
    assert np.isfinite(probe.weight).all()
    assert len(probe.held) == len(probe.held_rows) == 4 * each


def test_labels_of_noise_are_predicted_at_chance_by_folds() -> None:
    rng = np.random.default_rng(1)
    x, kinds = rng.normal(size=(60, 300)), rng.integers(0, 2, 60)
    y = np.eye(2, dtype=np.uint8)[kinds]
    probe = fit_probe(
        x[:50],
        y[:50],
        validation=x[50:],
        validation_targets=y[50:],
        task="multiclass",
        codes=np.arange(60),
        pooled=True,
    )
    assert (probe.held.argmax(axis=1) == kinds[probe.held_rows]).mean() < 0.7
    assert probe.losses[probe.penalty] > 0.6


def test_log_loss_of_multi_label_sets() -> None:
    rng = np.random.default_rng(0)
    logits, targets = rng.normal(size=(30, 4)), (rng.random((30, 4)) < 0.4).astype(np.uint8)
    expected = np.mean([sklearn_log_loss(targets[:, k], expit(logits[:, k])) for k in range(4)])
    assert log_loss(logits, targets, task="multilabel") == pytest.approx(expected)
    assert log_loss(1e4 * logits, targets, task="multilabel") < np.inf


def test_folds_that_hold_classes_out_unevenly_are_calibrated() -> None:
    """Patients of one class each: a fold without half of a class must not predict it half as often."""
    rng = np.random.default_rng(0)
    kinds = np.repeat([0, 1], 30)
    codes = np.repeat(np.arange(6), 10)  # three patients of each class
    x = rng.normal(size=(60, 4)) + 1.5 * np.array([-1, 1])[kinds][:, None]
    y = np.eye(2, dtype=np.uint8)[kinds]
    probe = fit_probe(
        x[:40],
        y[:40],
        validation=x[40:],
        validation_targets=y[40:],
        task="multiclass",
        codes=codes,
        pooled=True,
    )
    held, truth = probe.held, y[probe.held_rows]
    assert (held.argmax(axis=1) == truth.argmax(axis=1)).mean() > 0.9
    split = Split(np.arange(10, 60), np.arange(10))
    adapted = same_priors(np.ones(2), y, split, task="multiclass")
    counts = adapted * y[split.seen].sum(axis=0)
    assert counts[0] == pytest.approx(counts[1])


def test_class_weights_of_a_fold_by_hand() -> None:
    labels = np.eye(3, dtype=np.uint8)[[0, 0, 0, 0, 1, 1, 2, 2]]
    split = Split(np.array([0, 1, 4]), np.array([2, 3, 5, 6, 7]))
    weights = np.array([1.0, 2.0, 3.0])
    # Whole: 1/2, 1/4, 1/4; seen: 2/3, 1/3, 0. A class that is not seen keeps its weight.
    assert same_priors(weights, labels, split, task="multiclass") == pytest.approx([0.75, 1.5, 3.0])
    several = np.array([[1, 1, 0], [1, 0, 0], [0, 0, 0], [0, 0, 1]], np.uint8)
    found = same_priors(weights, several, Split(np.array([0, 2]), np.array([1, 3])), task="multilabel")
    # Odds: whole 1, 1/3, 1/3; seen 1, 1, 0.
    assert found == pytest.approx([1.0, 2 / 3, 3.0])
    always = np.array([[1], [1], [0], [1]], np.uint8)
    found = same_priors(np.ones(1), always, Split(np.array([0, 1]), np.array([2, 3])), task="multilabel")
    assert found == pytest.approx([3 / 4])  # odds of 3 against odds that are bounded by the number of images: 4


def test_folds_divide_no_group_and_are_the_same_each_time() -> None:
    rng = np.random.default_rng(0)
    labels, codes = np.eye(2, dtype=np.uint8)[rng.integers(0, 2, 40)], np.arange(40) // 2
    for task in ("multiclass", "multilabel"):
        first, second = (probe_folds(labels, codes, task=task) for _ in range(2))
        assert len(first) == 5
        for one, two in zip(first, second, strict=True):
            assert one.held.tolist() == two.held.tolist()
            assert not set(codes[one.seen]) & set(codes[one.held])
        assert sorted(np.concatenate([split.held for split in first])) == list(range(40))
    plain = GroupKFold(5, shuffle=True, random_state=0).split(labels, groups=codes)
    assert [split.held.tolist() for split in probe_folds(labels, codes, task="multilabel")] == [
        held.tolist() for _, held in plain
    ]
    strata = StratifiedGroupKFold(5, shuffle=True, random_state=0).split(labels, labels.argmax(1), groups=codes)
    assert [split.held.tolist() for split in probe_folds(labels, codes, task="multiclass")] == [
        held.tolist() for _, held in strata
    ]


def test_few_images_of_every_class_are_divided_without_a_warning(recwarn: pytest.WarningsRecorder) -> None:
    labels = np.eye(3, dtype=np.uint8)[[0, 0, 0, 1, 2]]
    assert len(probe_folds(labels, np.arange(5), task="multiclass")) == 3
    assert not recwarn.list


def test_a_feature_without_spread_is_left_out() -> None:
    values = np.array([[1.0, 5.0, 3.0], [3.0, 5.0, 7.0]])
    isotropic, standardised = scalings(values)
    assert (isotropic.name, standardised.name) == ("isotropic", "standardised")
    assert isotropic.centre.tolist() == [2, 5, 5]
    assert isotropic.scale == pytest.approx([np.sqrt(2.5), np.inf, np.sqrt(2.5)])
    assert standardised.scale.tolist() == [1, np.inf, 2]
    assert isotropic.apply([[2.0, 9.0, 5.0]]).tolist() == [[0, 0, 0]]  # type: ignore[arg-type]
    none, _ = scalings(np.ones((3, 2)))
    assert np.isinf(none.scale).all()
