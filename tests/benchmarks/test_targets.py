"""What benchmarks/targets.py says of results whose differences are known."""

from __future__ import annotations

import runpy
import sys
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cass.evaluation.resampling import Score
from known_outcome import known_outcome

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"
GAIN = {("cass", "probe"): 0.10, ("cass", "taught"): 0.15, ("none", "probe"): 0.0}
DATA = ("a", "b")


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[tuple[str, str], list[str]]]:
    """The rows of each table by label fraction and data set; the tables by the start of their titles."""
    rng = np.random.default_rng(0)
    rows, scores, pretrainings = [], {}, []
    for (method, protocol), data, seed, fraction, branch in product(
        GAIN, DATA, range(3), (0.01, 0.1, 1.0), ("cnn", "transformer", "mean")
    ):
        cell = f"{data}-{method}-{protocol}-{seed}-{fraction}"
        value = 0.5 + GAIN[method, protocol] + 0.001 * seed
        if data == "b":
            value -= 0.02 * (method == "cass")
        scores[cell, branch] = Score(value, value + 0.001 * rng.normal(size=500))
        place = {"data": data, "network": "n", "method": method, "batch_size": 16, "epochs": 4, "seed": seed}
        rows.append(
            place
            | {"protocol": protocol, "label_fraction": fraction, "branch": branch}
            | {"metric": "balanced_accuracy", "value": value, "cell": cell}
        )
    for data, branch, seed in product(DATA, ("cnn", "transformer"), range(3)):
        kept = 30.0 if (data, branch) == ("b", "cnn") else 90.0
        ranks = {"effective_rank_start": 100.0, "effective_rank_end": kept, "collapsed": False}
        pretrainings.append({"data": data, "method": "cass", "branch": branch, "seed": seed} | ranks)
    outcome = known_outcome(
        rows,
        pretrainings,
        methods=("cass", "none"),
        sources={"a": "here", "b": "there"},
        scores=scores,
        confirmation=("b",),
    )
    figures = tmp_path_factory.mktemp("figures")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(FOLDER)
        script: dict[str, Any] = runpy.run_path(str(FOLDER / "targets.py"))
        sys.modules.pop("forest")
        laid_out = script["target_tables"](outcome, figures=figures)
    drawn = {path.stem for path in figures.iterdir()}
    assert drawn == {"gain-probe", "gain-taught", "gain-taught-over-none"}  # full fine-tuning was not measured
    return {cells.title: {(row[0], row[1]): row[2:] for row in cells.rows} for cells in laid_out}


def table_of(tables: dict[str, Any], *words: str) -> dict[tuple[str, str], list[str]]:
    """Return the table whose title has these words."""
    (found,) = [table for title, table in tables.items() if all(word in title for word in words)]
    return found


def test_a_gain_is_the_mean_over_sources_with_its_target(tables: dict[str, Any]) -> None:
    table = table_of(tables, "Pretraining over no pretraining", "linear probe")
    assert table["1%", "all"][0].startswith("+9.0 [")
    assert table["1%", "all"][1:] == ["+4, above 0", "met"]
    assert table["1%", "confirmation sets"][0].startswith("+8.0 [")
    assert table["10%", "b"][1:] == ["above -1", "met"]


def test_pseudo_labels_are_compared_with_the_labels_alone_and_with_neither(tables: dict[str, Any]) -> None:
    assert table_of(tables, "Pseudo-labels over the labels alone")["10%", "all"][0].startswith("+5.0 [")
    together = table_of(tables, "over neither")
    assert together["1%", "all"][0].startswith("+14.0 [")
    assert together["1%", "all"][2] == "met"


def test_what_was_not_measured_is_not_called_missed(tables: dict[str, Any]) -> None:
    table = table_of(tables, "full fine-tuning")
    assert {row[2] for row in table.values()} == {"not measured"}
    assert table["their mean", "all"][1] == "+2, above 0"


def test_a_branch_that_lost_its_rank_misses(tables: dict[str, Any]) -> None:
    table = table_of(tables, "No collapse")
    assert table["b", "cnn"] == ["0 of 3", "0.30", "**missed**"]
    assert table["a", "cnn"][-1] == "met"
