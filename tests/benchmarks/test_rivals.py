"""What benchmarks/rivals.py says of results whose differences are known."""

from __future__ import annotations

import runpy
import sys
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cass.benchmarking.outcome import Outcome
from cass.evaluation.resampling import Score
from known_outcome import known_outcome

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"
LEAD = {"cass": 0.0, "dino": 0.1, "mae": 0.2, "none": -0.1}
SECONDS = {"cass": 10.0, "dino": 20.0, "mae": 5.0, "none": 0.0}


def known() -> Outcome:
    rng = np.random.default_rng(0)
    rows, scores, pretrainings = [], {}, []
    for method, data, seed, fraction, branch in product(LEAD, "ab", range(3), (0.1, 1.0), ("cnn", "transformer")):
        if (method, branch) == ("mae", "cnn"):
            continue
        cell = f"{data}-{method}-{seed}-{fraction}"
        value = 0.7 - LEAD[method] * fraction + 0.001 * seed
        scores[cell, branch] = Score(value, value + 0.001 * rng.normal(size=500))
        place = {"data": data, "network": "n", "method": method, "batch_size": 16, "epochs": 4, "seed": seed}
        part = {"protocol": "probe", "label_fraction": fraction, "branch": branch}
        rows.append(place | part | {"metric": "balanced_accuracy", "value": value, "cell": cell})
        trained = {"branch": branch, "cell": f"{data}-{method}-{seed}"}
        pretrainings.append(place | trained | {"seconds": SECONDS[method] * (1 + (data == "b"))})
    sources = {"a": "here", "b": "there"}
    return known_outcome(rows, pretrainings, methods=tuple(LEAD), sources=sources, scores=scores)


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.syspath_prepend(FOLDER)
    script = runpy.run_path(str(FOLDER / "rivals.py"))
    monkeypatch.delitem(sys.modules, "forest")
    return script


def test_each_setting_is_drawn(script: dict[str, Any], tmp_path: Path) -> None:
    script["draw_rivals"](known(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["rivals-1.png"]


def test_differences_verdicts_and_times_of_every_method(script: dict[str, Any]) -> None:
    (table,) = script["rival_tables"](known())
    assert table.title == "cass minus other methods; networks n, fine-tuning probe, pretraining batch 16, epochs 4"
    assert table.head == ["method", "10%, points", "100%, points", "time", "seeds"]
    rows = {row[0]: row[1:] for row in table.rows}
    assert list(rows) == ["dino", "mae", "none"]
    assert rows["dino"][0].startswith("+1.0 [")
    assert rows["dino"][1].startswith("+10.0 [")
    assert rows["mae"][1].startswith("+20.0 [")  # the Transformer alone
    assert rows["none"][1].startswith("-10.0 [")
    assert [rows[name][1].split("] ")[1] for name in rows] == ["better", "better", "worse"]
    assert [row[2:] for row in rows.values()] == [["2.00", "3"], ["0.50 (transformer only)", "3"], ["-", "3"]]
