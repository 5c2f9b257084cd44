from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from cass.data.store.store import ImageStore
from cass.models.backbones import BackboneSpec, Branch, build_branch
from cass.training.watch import CollapseWatch, WatchData, read_branch
from cass.transforms.recipes import RECIPES
from cass.transforms.views import build_views


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
        is_global_zero, current_epoch = True, 0

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
