from __future__ import annotations

import runpy
from pathlib import Path

import pytest
import yaml

from cass.benchmarking.spec import read_spec
from cass.errors import ConfigError
from cass.methods.base import METHODS, branch_names

SPECS = Path(__file__).resolve().parents[2] / "benchmarks"

LEAST = {
    "name": "small",
    "claim": "cass",
    "data": {"cells": {"source": "generated"}},
    "networks": {"tiny": {"cnn": "test_resnet"}},
    "methods": {"cass": None, "none": {"pretraining": False}},
}


def write(folder: Path, **change: object) -> Path:
    path = folder / "spec.yaml"
    path.write_text(yaml.safe_dump(LEAST | change))
    return path


def test_the_least_that_a_benchmark_says(tmp_path: Path) -> None:
    spec = read_spec(write(tmp_path))
    assert spec.methods["cass"].pretraining
    assert not spec.methods["none"].pretraining
    assert spec.label_fractions == (0.01, 0.1, 1.0)
    assert spec.seeds == (0, 1, 2, 3, 4)
    assert list(spec.grids) == ["main"]
    assert spec.networks["tiny"].settings() == {"cnn": "test_resnet"}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"label_fraction": [1]}, "'label_fractions'"),
        ({"methods": {"cass": {"metod": "cass"}}}, "'method'"),
        ({"methods": {"cass": {"seed": 1}}}, "see seeds"),
        ({"methods": {"cass": {"weight_decy": 1}}}, "'weight_decay'"),
        ({"networks": {"tiny": {"cnn_weight": "none"}}}, "'cnn_weights'"),
        ({"data": {"cells": {"source": "generated", "finetune": {"epoch": 1}}}}, "'epochs'"),
        ({"data": {"cells": {}}}, "data.cells.source"),
        ({"data": {"cells/a": {"source": "generated"}}}, "cells/a"),
        ({"tuning": {"full": {"hed": "full"}}}, "'head'"),
        ({"tuning": {"full": 3}}, "no mapping"),
        ({"pretraining": {"epochs": 3}}, "see seeds, batch_sizes and epochs"),
        ({"grids": {"main": {"method": ["cass"]}}}, "'methods'"),
        ({"grids": {"main": {"methods": ["cas"]}}}, "'cass'"),
        ({"grids": {"main": {"seeds": []}}}, "seeds"),
        ({"claim": "cas"}, "'cass'"),
        ({"branches": ["both"]}, "branches"),
        ({"label_fractions": [1.5]}, "1.5"),
        ({"methods": ["cass"]}, "methods"),
    ],
)
def test_mistakes_are_one_line_with_the_mend(tmp_path: Path, change: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_spec(write(tmp_path, **change))
    assert says in str(caught.value)
    assert "spec.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("path", sorted(SPECS.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_benchmarks_of_the_project_are_valid(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if path.with_suffix(".py").is_file():  # methods of its own
        monkeypatch.setattr(METHODS, "_entries", dict(METHODS))
        monkeypatch.syspath_prepend(path.parent)
        runpy.run_path(str(path.with_suffix(".py")))
    spec = read_spec(path)
    for name, entry in spec.methods.items():
        if entry.pretraining:
            kind = METHODS.find(entry.method or name, entry.settings().get("objective"))
            branch_names(kind, name, entry.settings().get("branch", "both"))
    assert spec.name == path.stem
    assert spec.claim in spec.methods
