from __future__ import annotations

import numpy as np
import pytest

from cass.evaluation.operating import HeldOut, groups_needed, operating_point, threshold_for


def held_out(rng: np.random.Generator, patients: int) -> HeldOut:
    """Two images a patient; the first class is rarer and its scores overlap with those of the others."""
    codes = np.repeat(np.arange(patients), 2)
    has = np.repeat(rng.random(patients) < 0.4, 2)
    scores = 1 / (1 + np.exp(-rng.normal(np.where(has, 1.0, -1.0), 1.2)))
    return HeldOut(np.stack([scores, 1 - scores], axis=1), np.stack([has, ~has], axis=1).astype(np.uint8), codes)


def test_new_patients_are_found_as_often_as_asked() -> None:
    rng = np.random.default_rng(0)
    found: list[bool] = []
    for _ in range(400):
        threshold = threshold_for(held_out(rng, 80), 0, sensitivity=0.9)
        assert threshold is not None
        new = held_out(rng, 10)
        own = np.flatnonzero(new.labels[:, 0])[:1]
        found += (new.probabilities[own, 0] >= threshold).tolist()
    assert np.mean(found) > 0.9 - 3 * np.sqrt(0.9 * 0.1 / len(found))
    assert np.mean(found) < 0.97  # it is not bought by calling everything


@pytest.mark.parametrize(("sensitivity", "needed"), [(0.5, 1), (0.9, 9), (0.95, 19), (0.99, 99)])
def test_a_threshold_needs_enough_patients(sensitivity: float, needed: int) -> None:
    assert groups_needed(sensitivity) == needed
    for patients in (needed - 1, needed):
        scores = np.linspace(0.5, 0.9, 2 * patients)
        labels = np.stack([np.ones(2 * patients), np.zeros(2 * patients)], axis=1).astype(np.uint8)
        held = HeldOut(np.stack([scores, 1 - scores], axis=1), labels, np.repeat(np.arange(patients), 2))
        found = threshold_for(held, 0, sensitivity=sensitivity)
        assert (found is None) == (patients < needed)


def test_a_point_is_measured_on_other_images() -> None:
    scores = np.array([0.9, 0.4, 0.3, 0.2, 0.1])
    truth = np.array([True, True, False, False, False])
    point = operating_point(scores, truth, 0.3)
    assert point is not None
    assert point.sensitivity.value == 1.0
    assert point.specificity.value == pytest.approx(2 / 3)
    assert operating_point(scores, np.ones(5, bool), 0.3) is None
