"""What benchmarks/fewest.py says of results whose differences are known."""

from __future__ import annotations

import sys
from importlib import import_module
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from cass.evaluation.resampling import Score
from known_outcome import known_outcome

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"
GAIN = {6: 0.0, 20: 0.1}
"""Gain of pretraining by epochs."""


def test_each_number_of_epochs_is_compared_with_no_pretraining(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(FOLDER)
    script = import_module("fewest")
    for name in ("fewest", "draws", "forest", "frozen", "rivals", "targets"):
        monkeypatch.delitem(sys.modules, name)
    rng = np.random.default_rng(0)
    rows, scores = [], {}
    for method, epochs, seed, branch in product(("cass", "none"), GAIN, range(2), ("cnn", "transformer")):
        cell = f"{method}-{epochs}-{seed}"
        value = 0.5 + GAIN[epochs] * (method == "cass")
        scores[cell, branch] = Score(value, value + 0.001 * rng.normal(size=500))
        rows.append(
            {"data": "few", "network": "n", "method": method, "batch_size": 16, "epochs": epochs, "seed": seed}
            | {"protocol": "probe", "label_fraction": 0.1, "branch": branch, "metric": "balanced_accuracy"}
            | {"value": value, "cell": cell}
        )
    outcome = known_outcome(rows, [], methods=("cass", "none"), sources={"few": "here"}, scores=scores)
    table = script.fewest_table(outcome, {("few", 20): (160, 200), ("few", 6): (160, 60)})
    assert [row[:3] + row[4:] for row in table.rows] == [["few", "160", "60", "2"], ["few", "160", "200", "2"]]
    assert table.rows[0][3].startswith(("+0.0", "-0.0"))
    assert table.rows[1][3].startswith("+10.0")
