from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import cass
from cass.data.store.store import ImageStore
from cass.models.backbones import BackboneSpec, Branch, build_branch
from cass.training import watch as watching
from cass.training.watch import CollapseWatch, WatchData, read_branch
from cass.transforms.recipes import RECIPES
from cass.transforms.views import build_views
from conftest import TINY


def watched(*, labels: bool = True) -> WatchData:
    """48 dark and bright images: half of them watched, half of them the labelled bank."""
    kinds = np.arange(48) % 2
    rng = np.random.default_rng(0)
    pixels = (rng.integers(0, 90, (48, 32, 32, 3)) + 160 * kinds[:, None, None, None]).astype(np.uint8)
    targets = np.eye(2, dtype=np.uint8)[kinds]
    return WatchData(
        images=ImageStore(pixels, {}),
        rows=np.arange(24),
        make_views=build_views(RECIPES["paper"]),
        labelled=np.ones(24, dtype=bool),
        targets=targets[:24] if labels else None,
        bank=np.arange(24, 48) if labels else None,
        bank_targets=targets[24:] if labels else None,
        task="multiclass",
        neighbours=3,
        seed=0,
        epoch_images=48,
    )


@pytest.fixture
def branch() -> Branch:
    return build_branch(BackboneSpec("test_resnet", image_size=32), seed=0)


def test_a_branch_is_read_without_being_changed(branch: Branch) -> None:
    before = {name: value.clone() for name, value in branch.state_dict().items()}
    branch.train()
    reading = read_branch(branch, watched())
    assert all(part.training for part in branch.modules())
    assert all(torch.equal(value, before[name]) for name, value in branch.state_dict().items())
    assert reading.knn_balanced_accuracy == 1.0
    assert read_branch(branch, watched()).to_dict() == reading.to_dict()
    assert np.isnan(read_branch(branch, watched(labels=False)).knn_balanced_accuracy)


def test_chance_is_that_of_the_classes_there_are() -> None:
    assert watched().chance == 0.5
    assert watched(labels=False).chance == 0.5


def test_a_collapse_is_said_while_it_happens(branch: Branch) -> None:
    said: list[str] = []
    watch = CollapseWatch({"cnn": branch}, watched(), say=said.append)
    watch.measure(0)
    assert watch.describe()[0].startswith("cnn: spread")
    assert not watch.verdict("cnn").collapsed
    with torch.no_grad():
        for parameter in branch.parameters():
            parameter.zero_()

    class Trainer:
        is_global_zero, current_epoch, max_epochs = True, 0, 2

    logged: dict[str, float] = {}

    class Module:
        def log(self, name: str, value: float, **_: Any) -> None:
            logged[name] = value

    watch.on_train_epoch_end(Trainer(), Module())  # type: ignore[arg-type]
    assert watch.verdict("cnn").collapsed
    assert "The cnn branch has COLLAPSED by epoch 1" in said[0]
    assert logged["cnn/spread"] == pytest.approx(0, abs=1e-6)
    again = CollapseWatch({"cnn": branch}, watched(), say=said.append)
    again.load_state_dict(watch.state_dict())
    assert [entry["epoch"] for entry in again.history] == [0, 1]
    assert list(again.table([{"epoch": 1, "train/loss": 0.5}])["loss"])[1] == 0.5


def test_measuring_takes_no_longer_than_training(
    scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = cass.pretrain(scans, out=tmp_path / "all", **TINY | {"epochs": 5})
    assert run.frame()["cnn/spread"].notna().all()
    monkeypatch.setattr(watching, "CHEAP", 0)
    monkeypatch.setattr(WatchData, "embeddings", property(lambda data: 2 * data.epoch_images))
    some = cass.pretrain(scans, out=tmp_path / "some", **TINY | {"epochs": 5})
    left_out = some.frame().filter(like="/").drop(columns="train/loss").isna().all(axis=1)
    assert left_out.tolist() == [True, False, True, False, False]
    assert some.frame()["train/loss"].tolist() == run.frame()["train/loss"].tolist()
    assert (tmp_path / "some" / "plots" / "pretraining.png").is_file()
    assert json.dumps(some.summary["branches"]) == json.dumps(run.summary["branches"])


def test_saved_weights_are_measured_where_they_are_not_the_last_ones(
    scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: dict[str, int] = {}
    original = CollapseWatch.measure
    for name, start in (("averaged", 0.0), ("one", 0.9), ("last", 1.0)):
        measured: list[int] = []

        def measure(watch: CollapseWatch, epoch: int, seen: list[int] = measured) -> Any:
            seen.append(epoch)
            return original(watch, epoch)

        with monkeypatch.context() as patch:
            patch.setattr(CollapseWatch, "measure", measure)
            run = cass.pretrain(scans, out=tmp_path / name, **TINY | {"epochs": 2, "averaging_start": start})
        counts[name] = len(measured)
        rows = run.frame()
        same = run.summary["branches"]["cnn"]["spread_end"] == pytest.approx(rows["cnn/spread"].iloc[-1], rel=1e-5)
        assert same == (name != "averaged")
    assert counts == {"averaged": 4, "one": 3, "last": 3}
