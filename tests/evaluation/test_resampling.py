"""Intervals over seeds and patients together, against cases where the spread is known."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from cass.evaluation.resampling import Answers, GroupDraws, Score, difference, resample


def answers(correct: np.ndarray, *, classes: np.ndarray, units: list[str]) -> Answers:
    """Answers of a two-class set that are right where ``correct`` is 1."""
    predicted = np.where(correct.astype(bool), classes, 1 - classes)
    one_hot = np.eye(2, dtype=np.uint8)
    return Answers(one_hot[predicted].astype(bool), one_hot[classes], tuple(units), "multiclass")


def test_the_value_is_scikit_learns_and_patients_are_drawn_whole() -> None:
    rng = np.random.default_rng(0)
    classes = np.arange(400) % 2
    patient_right = np.repeat(rng.random(20) < 0.7, 20)  # a patient's images are all right or all wrong
    by_patient = answers(patient_right, classes=classes, units=[f"p{i // 20}" for i in range(400)])
    by_image = answers(patient_right, classes=classes, units=[str(i) for i in range(400)])
    draws = GroupDraws({"patients": by_patient.units, "images": by_image.units})
    whole, single = draws.score("patients", by_patient), draws.score("images", by_image)
    truth, guess = by_patient.targets.argmax(1), by_patient.predicted.argmax(1)
    assert whole.value == single.value == pytest.approx(balanced_accuracy_score(truth, guess))
    # 20 patients instead of 400 images: the standard error is about the root of 20 times as large.
    assert np.nanstd(whole.draws) / np.nanstd(single.draws) == pytest.approx(np.sqrt(20), rel=0.15)


def test_a_fixed_classifier_has_an_interval_over_patients() -> None:
    """The same answers in every seed: intervals over seeds alone would have no width."""
    classes = np.arange(200) % 2
    part = answers(np.random.default_rng(1).random(200) < 0.8, classes=classes, units=[str(i) for i in range(200)])
    score = GroupDraws({"s": part.units}).score("s", part)
    found = resample([[score] * 5], sources=["s"])
    assert 0.08 < found.interval.high - found.interval.low < 0.14  # 2 * 1.96 * sqrt(0.8 * 0.2 / 200) = 0.11


def test_the_spread_between_seeds_is_that_of_their_mean() -> None:
    rng = np.random.default_rng(2)
    values = rng.normal(0.7, 0.05, 6)
    flat = [Score(value, np.full(4000, value)) for value in values]  # without any spread between patients
    found = resample([flat], sources=["s"])
    expected = 2 * 1.96 * values.std(ddof=1) / np.sqrt(6)
    assert found.interval.high - found.interval.low == pytest.approx(expected, rel=0.15)
    assert found.interval.value == pytest.approx(values.mean())


def test_pairs_share_their_draws() -> None:
    classes = np.arange(300) % 2
    units = [str(i) for i in range(300)]
    right = np.random.default_rng(3).random(300) < 0.7
    better = right.copy()
    better[np.flatnonzero(~right)[:15]] = True  # the same images, fifteen more right
    draws = GroupDraws({"s": units})
    one, two = (draws.score("s", answers(part, classes=classes, units=units)) for part in (better, right))
    found = resample([[difference(one, two)] * 3], sources=["s"])
    assert found.interval.low > 0
    assert found.p < 0.01
    alone = np.quantile(one.draws, [0.025, 0.975])
    assert found.interval.high - found.interval.low < 0.6 * (alone[1] - alone[0])


def test_sets_of_one_source_count_as_one() -> None:
    high, low = (Score(value, np.full(10, value)) for value in (0.9, 0.3))
    found = resample([[high, high], [high, high], [low, low]], sources=["brain", "brain", "blood"])
    assert found.interval.value == pytest.approx(0.6)


def test_a_missing_cell_takes_its_seed_away_and_one_seed_has_no_test() -> None:
    draws = np.random.default_rng(0).normal(0.1, 0.01, 100)
    score = Score(0.1, draws)
    found = resample([[score, score, None], [score, score, score]], sources=["a", "b"])
    assert found.seeds == 2
    alone = resample([[score]], sources=["a"])
    assert (alone.seeds, np.isnan(alone.p)) == (1, True)
    assert alone.interval.low < 0.1 < alone.interval.high
    assert np.isnan(resample([[None]], sources=["a"]).interval.value)
    zero = Score(0.0, np.zeros(100))
    assert resample([[zero, zero]], sources=["a"]).p == 1.0


def test_one_group_fewer_than_there_are_is_drawn() -> None:
    units = [f"p{i // 2}" for i in range(10)]
    draws = GroupDraws({"s": units}, resamples=50)
    weights = draws.weights("s", units)
    assert draws.resamples == 50
    assert weights.shape == (50, 10)
    assert weights.dtype == np.float64
    assert (weights[:, ::2] == weights[:, 1::2]).all()
    assert (weights[:, ::2].sum(axis=1) == 4).all()
    assert (GroupDraws({"s": ["p"]}, resamples=3).weights("s", ["p"]) == 1).all()
    assert (weights == GroupDraws({"s": units}, resamples=50).weights("s", units)).all()
    for other in (GroupDraws({"s": units}, resamples=50, seed=1), GroupDraws({"t": units}, resamples=50)):
        assert (weights != other.weights("t" if "t" in other._rows else "s", units)).any()


def test_multi_label_answers_are_scored_by_label() -> None:
    targets = np.array([[1, 1], [1, 0], [0, 0], [0, 0]], np.uint8)
    part = Answers(
        targets.astype(bool) ^ [[0, 1], [0, 0], [0, 0], [1, 0]] > 0, targets, tuple("abcd"), "multilabel"
    )
    score = GroupDraws({"s": part.units}).score("s", part)
    # Label 1: sensitivity 1, specificity 1/2; label 2: sensitivity 0, specificity 1.
    assert score.value == pytest.approx((0.75 + 0.5) / 2)


def flat(value: float, count: int = 100) -> Score:
    return Score(value, np.full(count, value))


def test_differences_and_what_is_missing() -> None:
    found = difference(flat(0.7), flat(0.4))
    assert found is not None
    assert found.value == pytest.approx(0.3)
    assert found.draws == pytest.approx(0.3)
    assert difference(None, flat(0.4)) is None
    assert difference(flat(0.4), None) is None
    nothing = resample([], sources=[])
    assert (nothing.seeds, resample([[None, None]], sources=["a"]).seeds) == (0, 0)
    assert np.isnan([nothing.p, nothing.interval.low, nothing.interval.high]).all()


def test_draws_by_hand() -> None:
    # Two seeds: one is drawn each time, so that half of the draws are of each.
    found = resample([[Score(0.2, np.full(4000, 0.2)), Score(0.6, np.full(4000, 0.6))]], sources=["a"])
    assert (found.interval.value, found.interval.low, found.interval.high) == pytest.approx((0.4, 0.2, 0.6))
    assert found.p == pytest.approx(2 / 4001)  # 0 of 4000 draws are at or below 0
    sided = resample([[Score(-0.1, np.full(4000, -0.1)), Score(0.3, np.full(4000, 0.3))]], sources=["a"])
    assert sided.p == pytest.approx(1, abs=0.05)
    again = resample([[Score(-0.1, np.full(4000, -0.1)), Score(0.3, np.full(4000, 0.3))]], sources=["a"])
    assert again == sided
    touching = resample([[Score(0.0, np.zeros(4000)), Score(0.3, np.full(4000, 0.3))]], sources=["a"])
    assert touching.p == pytest.approx(1.0, abs=0.05)  # a draw of exactly 0 counts on both sides
    slope = Score(0.5, np.linspace(0, 1, 2001))
    one = resample([[slope]], sources=["a"])
    assert (one.interval.low, one.interval.high) == pytest.approx((0.025, 0.975))
    assert np.isnan(one.p)
    assert resample([[slope, slope]], sources=["a"]).p == pytest.approx(2 * 2 / 2002)  # one draw is 0


def test_every_seed_is_drawn_alike() -> None:
    scores = [flat(value, 4000) for value in (1.0, 0.0, 0.0)]
    first = resample([scores], sources=["a"])
    last = resample([scores[::-1]], sources=["a"])
    assert first.interval == last.interval
    assert first.interval.high == 1.0  # seed 0 twice


def test_where_nothing_varies_there_is_no_interval() -> None:
    same = resample([[flat(0.3), flat(0.3)]], sources=["a"])
    assert same.interval.value == pytest.approx(0.3)
    assert np.isnan([same.p, same.interval.low, same.interval.high]).all()
    assert same.seeds == 2
    zero = resample([[flat(0.0)]], sources=["a"])
    assert (zero.seeds, np.isnan(zero.p)) == (1, True)
    undefined = Score(0.0, np.full(100, np.nan))
    assert np.isnan(resample([[undefined, undefined]], sources=["a"]).p)
    values = np.linspace(0.1, 0.2, 100)
    half, fewer = (np.where(np.arange(100) < count, values, np.nan) for count in (50, 49))
    assert not np.isnan(resample([[Score(0.1, half)]], sources=["a"]).interval.low)
    assert np.isnan(resample([[Score(0.1, fewer)]], sources=["a"]).interval.low)
