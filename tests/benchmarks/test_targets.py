"""What benchmarks/targets.py says of results whose differences are known."""

from __future__ import annotations

import runpy
import sys
from itertools import product
from pathlib import Path

import pandas as pd
import pytest

TARGETS = Path(__file__).resolve().parents[2] / "benchmarks" / "targets.py"
VALUES = {"cass": 0.70, "none": 0.60, "dino": 0.65}
SHARES = {"cnn": 0.9, "transformer": 0.4}


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, list[str]]]:
    """The rows of each table by their first cell, and the tables by their titles."""
    folder = tmp_path_factory.mktemp("targets")
    runs, pretrainings = [], []
    for method, data, seed, branch in product(VALUES, ("a", "b"), range(3), SHARES):
        place = {"data": data, "method": method, "batch_size": 16, "epochs": 4, "seed": seed, "branch": branch}
        value = VALUES[method] + 0.001 * seed * (method == "cass")
        score = {"metric": "balanced_accuracy", "protocol": "probe", "value": value}
        runs += [place | score | {"label_fraction": fraction} for fraction in (0.01, 0.1, 1.0)]
        ranks = {"effective_rank_start": 100.0, "effective_rank_end": 100 * SHARES[branch], "collapsed": False}
        trained = {"seconds": 30.0, "pretraining_epochs": 4}
        if method == "dino":
            trained |= {"seconds": 60.0, "pretraining_epochs": 1}
        if method != "none":
            pretrainings.append(place | trained | ranks | {"cell": f"{data}-{method}-{seed}"})
    pd.DataFrame(runs).to_csv(folder / "runs.csv", index=False)
    pd.DataFrame(pretrainings).to_csv(folder / "pretraining.csv", index=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["targets.py", str(folder)])
        runpy.run_path(str(TARGETS), run_name="__main__")
    tables = {}
    for part in (folder / "targets.md").read_text().split("\n## ")[1:]:
        title, *lines = [line for line in part.splitlines() if line]
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
        tables[title.split(":")[0]] = {" ".join(row[:5]) if row[0] == "cass" else row[0]: row for row in rows}
    return tables


def test_gains_are_means_over_cells_paired_by_seed(said: dict[str, dict[str, list[str]]]) -> None:
    rows = said["Better than no pretraining"]
    assert rows["overall"][1:] == ["+10.1 [9.9, 10.3]", "met"]
    assert len(rows) == 7


def test_a_rank_below_half_is_a_miss_without_a_verdict_of_collapse(said: dict[str, dict[str, list[str]]]) -> None:
    rows = said["No collapse"]
    assert rows["cass a 16 4 cnn"][5:] == ["0 of 3", "0.90", "+10.1 [9.9, 10.3]", "met"]
    assert rows["cass a 16 4 transformer"][5:7] == ["0 of 3", "0.40"]
    assert rows["cass a 16 4 transformer"][-1] == "**missed**"


def test_dino_is_compared_in_gain_and_time(said: dict[str, dict[str, list[str]]]) -> None:
    rows = said["Compared with DINO, which has half the epochs"]
    assert rows["gain at 1%, points"][1:] == ["+3.8", "+5.1 [4.9, 5.3]", "met"]
    assert rows["gain at 10%, points"][-1] == "**missed**"
    assert rows["total time on a, both branches"][2:] == ["0.50", "**missed**"]
    assert rows["time per epoch on a, both branches"][2:] == ["0.12", "met"]


def test_what_did_not_run_is_said(said: dict[str, dict[str, list[str]]]) -> None:
    for row in said["Batch size and epochs"].values():
        assert row[-1] == "not run"
