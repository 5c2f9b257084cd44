from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, softmax

from cass.evaluation.calibration import expected_calibration_error
from cass.evaluation.ensemble import ensemble, fit_ensemble
from cass.types import Task


def two_experts(task: Task, *, count: int = 4000) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Two networks that are calibrated, and see different halves of the evidence."""
    random = np.random.default_rng(0)
    evidence = random.normal(size=(2, count, 3))
    if task == "multilabel":
        targets = random.random((count, 3)) < expit(2 * evidence.sum(axis=0))
        seen = {name: expit(1.2 * part) for name, part in zip(("cnn", "transformer"), evidence, strict=True)}
        return seen, targets.astype(np.uint8)
    chances = softmax(2 * evidence.sum(axis=0), axis=1).cumsum(axis=1)
    targets = np.eye(3, dtype=np.uint8)[(random.random((count, 1)) > chances).sum(axis=1).clip(max=2)]
    seen = {name: softmax(1.2 * part, axis=1) for name, part in zip(("cnn", "transformer"), evidence, strict=True)}
    return seen, targets


@pytest.mark.parametrize("task", ["multiclass", "multilabel"])
def test_the_mean_of_two_networks_is_made_more_confident(task: Task) -> None:
    seen, targets = two_experts(task)
    half = len(targets) // 2
    fitted = fit_ensemble({name: part[:half] for name, part in seen.items()}, targets[:half], task=task)
    assert fitted.value < 0.9
    errors = []
    for temperature in (1.0, fitted.value):
        mean = ensemble({name: part[half:] for name, part in seen.items()}, task=task, temperature=temperature)
        logits = np.log(mean) - (np.log1p(-mean) if task == "multilabel" else 0)
        errors.append(expected_calibration_error(logits, targets[half:], task=task))
    assert errors[1] < errors[0] / 2


def test_one_network_and_few_images_get_no_second_temperature() -> None:
    seen, targets = two_experts("multiclass", count=30)
    assert fit_ensemble({"cnn": seen["cnn"]}, targets, task="multiclass").value == 1
    few = {name: part[:10] for name, part in seen.items()}
    assert fit_ensemble(few, targets[:10], task="multiclass").value == 1


@given(
    temperature=st.floats(0.05, 20),
    task=st.sampled_from(["multiclass", "multilabel"]),
    seed=st.integers(0, 1000),
)
def test_a_temperature_changes_no_order_and_keeps_probabilities(temperature: float, task: Task, seed: int) -> None:
    random = np.random.default_rng(seed)
    raw = random.random((2, 5, 4))
    raw[0, 0], raw[1, 0] = (1, 0, 0, 0), (1, 0, 0, 0)  # certainty
    parts = raw / raw.sum(axis=2, keepdims=True) if task == "multiclass" else raw
    seen = {"cnn": parts[0], "transformer": parts[1]}
    plain, tempered = (ensemble(seen, task=task, temperature=value) for value in (1.0, temperature))
    np.testing.assert_allclose(plain, parts.mean(axis=0), atol=1e-6)
    assert np.isfinite(tempered).all()
    assert (tempered >= 0).all()
    assert (tempered <= 1).all()
    if task == "multiclass":
        np.testing.assert_allclose(tempered.sum(axis=1), 1, atol=1e-5)
    ordered = np.take_along_axis(tempered, plain.argsort(axis=1, kind="stable"), axis=1)
    assert (np.diff(ordered, axis=1) >= -1e-6).all()


def test_without_a_temperature_the_mean_is_left_as_it_is() -> None:
    seen = {"cnn": np.array([[0.7, 0.7]], np.float32), "transformer": np.array([[0.1, 0.3]], np.float32)}
    for task in ("multiclass", "multilabel"):  # not normalised: nothing passes through logits
        mean = ensemble(seen, task=task, temperature=1.0)
        np.testing.assert_allclose(mean, [[0.4, 0.5]], rtol=1e-6)
        assert mean.dtype == np.float32
    warm = ensemble(seen, task="multilabel", temperature=2.0)
    np.testing.assert_allclose(warm, expit(np.log(mean / (1 - mean)) / 2), rtol=1e-6)
    pair = {"cnn": np.array([[0.8, 0.2]]), "transformer": np.array([[0.4, 0.6]])}
    np.testing.assert_allclose(
        ensemble(pair, task="multiclass", temperature=2.0),
        np.sqrt([[0.6, 0.4]]) / np.sqrt([0.6, 0.4]).sum(),
        rtol=1e-6,
    )


def test_one_network_says_why() -> None:
    found = fit_ensemble({"cnn": np.ones((30, 1))}, np.ones((30, 1), np.uint8), task="multiclass")
    assert (found.value, found.note) == (1.0, "one branch")
    assert np.isnan([found.ece_before, found.ece_after]).all()


@pytest.mark.parametrize("task", ["multiclass", "multilabel"])
def test_certain_answers_can_be_calibrated(task: Task) -> None:
    targets = np.eye(2, dtype=np.uint8)[np.arange(40) % 2]
    sure = np.where(targets == 1, 1.0, 0.0)
    assert np.isfinite(fit_ensemble({"cnn": sure, "transformer": sure}, targets, task=task).value)
    tempered = ensemble({"cnn": sure, "transformer": sure}, task=task, temperature=0.5)
    np.testing.assert_allclose(tempered, targets, atol=1e-6)
