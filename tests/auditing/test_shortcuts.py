from __future__ import annotations

import numpy as np

from cass.auditing.shortcuts import predict_from_facts

LABELS = np.array(["sick", "well", "odd"] * 20)


def test_a_fact_that_gives_a_class_away_is_named() -> None:
    rng = np.random.default_rng(0)
    columns = {
        "width": np.where(LABELS == "sick", 512.0, 640.0),
        "noise": rng.normal(size=60),
        "same": np.ones(60),
    }
    found = predict_from_facts(columns, LABELS, codes=np.arange(60), seed=0)
    assert found is not None
    assert found.chance == 1 / 3
    assert next(iter(found.facts)) == "width"
    assert "same" not in found.facts
    assert found.given_away == {"sick": ["width", "noise"]}
    assert 0.5 < found.accuracy < 0.9  # the other two cannot be told apart


def test_nothing_is_told_by_the_images_of_the_same_group() -> None:
    patients = np.arange(60) // 3
    labels = np.array(["sick", "well"])[np.random.default_rng(1).integers(0, 2, 20)][patients]
    columns = {"scanner": patients.astype(float)}  # tells the patient, and so the label, of images seen
    seen = predict_from_facts(columns, labels, codes=np.arange(60), seed=0)
    unseen = predict_from_facts(columns, labels, codes=patients, seed=0)
    assert seen is not None
    assert unseen is not None
    assert seen.accuracy > 0.8 > 0.7 > unseen.accuracy


def test_nothing_to_tell() -> None:
    varying = {"width": np.arange(60.0)}
    assert predict_from_facts({"width": np.ones(60)}, LABELS, codes=np.arange(60), seed=0) is None
    assert predict_from_facts(varying, np.full(60, "well"), codes=np.arange(60), seed=0) is None
    one_each = np.unique(LABELS, return_inverse=True)[1]  # every class is one patient
    assert predict_from_facts(varying, LABELS, codes=one_each, seed=0) is None


def test_predictions_repeat() -> None:
    columns = {"width": np.random.default_rng(2).normal(size=60)}
    first, second = (predict_from_facts(columns, LABELS, codes=np.arange(60), seed=3) for _ in range(2))
    assert first == second
