"""``cass finetune --unlabelled``: what is used, what is said, and what is never read."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from safetensors.torch import load_file

import cass
from cass.runs.inputs import Inputs
from cass.runs.label_budget import LabelBudget, labelled_images
from conftest import TINY, write_scans

FAST: dict[str, Any] = {"epochs": 1, "batch_size": 8, "device": "cpu", "label_fraction": 0.4, "unlabelled": "on"}


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Scans with given splits, and a pretraining run on them."""
    folder = tmp_path_factory.mktemp("teaching")
    labels = write_scans(folder / "scans")
    table = pd.read_csv(labels)
    patients = table["group"].str.removeprefix("patient").astype(int)
    table["split"] = np.select([patients % 5 == 3, patients % 5 == 4], ["val", "test"], "train")
    table.to_csv(labels, index=False)
    run = cass.pretrain(labels, out=folder / "run", **TINY | {"epochs": 1}).out
    return labels, run


def tune(labels: Path, run: Path, out: Path, **settings: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    cass.finetune(run, labels=labels, out=out, **FAST | settings)
    weights = {name: load_file(out / "checkpoints" / f"{name}.safetensors") for name in ("cnn", "transformer")}
    return json.loads((out / "summary.json").read_text()), weights


def same(first: dict[str, Any], second: dict[str, Any]) -> bool:
    return all(bool((first[name][key] == second[name][key]).all()) for name in first for key in first[name])


@pytest.mark.parametrize("head", ["linear", "full"])
def test_branches_learn_from_each_other_and_runs_repeat(
    started: tuple[Path, Path], tmp_path: Path, head: str
) -> None:
    summary, first = tune(*started, tmp_path / "first", head=head)
    _, second = tune(*started, tmp_path / "second", head=head)
    _, alone = tune(*started, tmp_path / "alone", head=head, unlabelled="off")
    assert same(first, second)
    assert not same(first, alone)
    teaching = summary["teaching"]
    assert teaching["used"]
    assert teaching["unlabelled"] == summary["splits"]["train"]["images"] - summary["n_labels"]
    assert all(0 < count <= teaching["unlabelled"] for count in teaching["pseudo_labels"].values())
    assert "unlabelled training images" in teaching["reason"]


def test_no_label_outside_the_budget_and_no_test_image_is_read(
    started: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Canary: wrong labels outside the budget must not change a single weight."""
    _, before = tune(*started, tmp_path / "before", head="full")
    seen = []

    def planted(*given: Any) -> tuple[Inputs, LabelBudget]:
        inputs, labelled = labelled_images(*given)
        targets = inputs.manifest.targets.copy()
        outside = np.setdiff1d(np.arange(len(targets)), np.concatenate([labelled.train, labelled.validation]))
        targets[outside] = np.roll(targets[outside], 1, axis=1)
        seen.append((len(outside), set(inputs.splits)))
        return replace(inputs, manifest=replace(inputs.manifest, targets=targets)), labelled

    monkeypatch.setattr("cass.workflows.finetune.labelled_images", planted)
    _, after = tune(*started, tmp_path / "after", head="full")
    ((outside, splits),) = seen
    assert outside > 10
    assert splits == {"train", "val"}  # nothing else is decoded
    assert same(before, after)


def test_where_there_is_nothing_to_learn_from_it_is_said(started: tuple[Path, Path], tmp_path: Path) -> None:
    labels, run = started
    table = pd.read_csv(labels)
    table = table[table["label"].notna()]
    (tmp_path / "scans").mkdir()
    shutil.copytree(labels.parent / "images", tmp_path / "scans" / "images")
    table.to_csv(tmp_path / "scans" / "labels.csv", index=False)
    summary, _ = tune(tmp_path / "scans" / "labels.csv", run, tmp_path / "all", head="linear", label_fraction=1.0)
    assert not summary["teaching"]["used"]
    assert "every training image is labelled" in summary["teaching"]["reason"]
    summary, _ = tune(*started, tmp_path / "off", head="linear", unlabelled="off")
    assert "--unlabelled is off" in summary["teaching"]["reason"]
    summary, _ = tune(*started, tmp_path / "few", head="linear", unlabelled="auto")
    assert "labels are too few to tell" in summary["teaching"]["reason"]


def test_a_branch_fine_tuned_alone_is_taught_by_the_other(started: tuple[Path, Path], tmp_path: Path) -> None:
    labels, run = started
    cass.finetune(run, labels=labels, out=tmp_path / "both", head="linear", **FAST)
    cass.finetune(run, labels=labels, out=tmp_path / "cnn", head="linear", branch="cnn", **FAST)
    both, alone = (load_file(tmp_path / name / "checkpoints" / "cnn.safetensors") for name in ("both", "cnn"))
    assert all((both[key] == alone[key]).all() for key in both)
    assert not (tmp_path / "cnn" / "checkpoints" / "transformer.safetensors").exists()
