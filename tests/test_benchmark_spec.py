from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from cass.benchmark_spec import PRETRAINING, BenchmarkSpec, read_spec
from cass.errors import ConfigError
from cass.methods import METHODS

SPECS = Path(__file__).resolve().parents[1] / "benchmarks"

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


def read_shipped(path: Path) -> BenchmarkSpec:
    """Read a benchmark of the project, unless it needs methods or settings that are still to come."""
    text = path.read_text()
    coming = [key for key in ("branch",) if f"{key}:" in text and key not in PRETRAINING]
    if coming:
        pytest.skip(f"cass pretrain has no setting {coming[0]!r} yet")
    spec = read_spec(path)
    names = [entry.method or name for name, entry in spec.methods.items() if entry.pretraining]
    coming = [name for name in names if name not in set(METHODS)]
    if coming:
        pytest.skip(f"there is no method {coming[0]!r} yet")
    return spec


@pytest.mark.parametrize("path", sorted(SPECS.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_benchmarks_of_the_project_are_valid(path: Path) -> None:
    spec = read_shipped(path)
    assert spec.name == path.stem
    assert spec.claim in spec.methods
