from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from cass.benchmarking.outcome import describe, over_seeds, score_cells, scores, settings_of, share
from known_outcome import two_sets


def test_fractions_and_settings_in_words() -> None:
    assert [share(fraction) for fraction in (0.01, 0.125, 1.0)] == ["1%", "12.5%", "100%"]
    assert describe(("small", "full", 16, 4)) == (
        "networks small, fine-tuning full, pretraining batch 16, epochs 4"
    )


def test_methods_keep_the_order_of_the_file_and_other_metrics_stay_out() -> None:
    outcome = two_sets(seeds=2)
    others = outcome.runs.assign(metric="accuracy", value=0.0)
    both = replace(outcome, runs=pd.concat([outcome.runs, others]), methods=("none", "cass", "dino"))
    found = scores(both)
    assert list(dict.fromkeys(found["method"])) == ["none", "cass", "dino"]
    assert len(found) == len(outcome.runs)
    assert set(found["metric"]) == {"balanced_accuracy"}


def test_the_main_setting_comes_first() -> None:
    outcome = two_sets(seeds=1, batch_sizes=(32, 8, 16))
    assert [setting[2] for setting, _ in settings_of(outcome)] == [32, 8, 16]
    for setting, rows in settings_of(outcome):
        assert set(rows["batch_size"]) == {setting[2]}


def test_the_mean_over_sets_and_seeds_with_an_interval() -> None:
    outcome = two_sets(gain=0.1)
    table = scores(outcome)
    rows = table[(table["method"] == "cass") & (table["branch"] == "cnn") & (table["label_fraction"] == 1.0)]
    cells = score_cells(outcome, rows)
    assert {data for data, _, _ in cells} == {"brain", "blood_cells"}
    assert all(sorted(found) == list(range(5)) for found in cells.values())
    interval = over_seeds(outcome, rows)
    assert interval.value == pytest.approx(rows["value"].mean())
    assert interval.low < interval.value < interval.high
    assert interval.high - interval.low < 0.05


def test_a_result_without_resamples_is_left_out() -> None:
    outcome = two_sets(seeds=2)
    rows = scores(outcome)
    gone = rows["cell"].iloc[0]
    kept = {key: value for key, value in outcome.scores.items() if key[0] != gone}
    cells = score_cells(
        replace(outcome, scores=kept), rows[(rows["branch"] == "cnn") & (rows["method"] == "cass")]
    )
    whole = score_cells(outcome, rows[(rows["branch"] == "cnn") & (rows["method"] == "cass")])
    assert np.sum([len(found) for found in cells.values()]) == np.sum([len(found) for found in whole.values()]) - 1
