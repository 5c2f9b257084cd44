"""What benchmarks/draws.py makes of the answers of many draws of labels."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def draws() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(FOLDER)
        yield import_module("draws")
        for name in ("draws", "forest", "frozen", "rivals", "targets"):
            sys.modules.pop(name, None)


def test_all_labels_are_drawn_once(draws: Any) -> None:
    assert draws.seeds_of(0.1, 3, seed=0) == [1000, 1001, 1002]
    assert draws.seeds_of(0.1, 3, seed=1) == [2000, 2001, 2002]
    assert draws.seeds_of(1.0, 3, seed=0) == [1000]


def test_what_is_there_is_not_probed_again(draws: Any, tmp_path: Path) -> None:
    cell = SimpleNamespace(name="a", folder=tmp_path / "a")
    assert draws.probed(cell, tmp_path, 2, split="test") is None  # no networks, and nothing kept
    np.savez(tmp_path / "a-2.npz", targets=np.array([0, 1], dtype=np.uint8))
    assert draws.probed(cell, tmp_path, 2, split="test")["targets"].tolist() == [0, 1]


def test_answers_of_networks_that_are_gone_are_not_those_of_new_ones(
    draws: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = SimpleNamespace(name="a", folder=tmp_path / "a")
    np.savez(tmp_path / "a-2.npz", targets=np.array([0, 1], dtype=np.uint8))
    os.utime(tmp_path / "a-2.npz", (1, 1))
    checkpoints = tmp_path / "a" / "pretrain" / "checkpoints"
    checkpoints.mkdir(parents=True)
    (checkpoints / "cnn.safetensors").touch()
    monkeypatch.setattr(draws, "probe", lambda *given, **named: {"targets": np.array([1, 1])})
    assert draws.probed(cell, tmp_path, 2, split="test")["targets"].tolist() == [1, 1]


def test_draws_are_averaged_and_labelled_images_are_not_asked(draws: Any, monkeypatch: Any) -> None:
    targets = np.array([0, 0, 1, 1], dtype=np.uint8)
    right, wrong = targets, 1 - targets
    half = np.array([0, draws.NOT_ASKED, 0, 0], dtype=np.uint8)  # of three images, all of class 0 are right
    found = {
        "branches": np.array(["cnn"]),
        "targets": targets,
        "units": np.array(["p1", "p2", "p3", "p4"]),
        "0.1": np.stack([right, wrong, half, right])[:, None],
    }
    place = SimpleNamespace(
        protocol="probe", label_fraction=0.1, _asdict=lambda: {"method": "cass", "label_fraction": 0.1}
    )
    benchmark = SimpleNamespace(
        spec=SimpleNamespace(split="val"),
        out=Path(),
        cells={"a": SimpleNamespace(data=SimpleNamespace(origin="here"))},
        points=[SimpleNamespace(place=place, cell="a")],
    )
    monkeypatch.setattr(draws, "probed", lambda *given, **named: found)
    monkeypatch.setattr(draws, "collect", lambda benchmark: None)
    monkeypatch.setattr(draws, "replace", lambda outcome, **parts: SimpleNamespace(**parts))
    outcome = draws.outcome_of(benchmark, 4)
    assert outcome.runs["value"].tolist() == pytest.approx([(1 + 0 + 0.5 + 1) / 4])
    assert outcome.scores["a/0.1", "cnn"].draws.shape == (2000,)
