from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cass.config.pretrain import PretrainConfig
from cass.data.store.store import ImageStore
from cass.errors import ConfigError
from cass.resolve.pretrain import resolve_method
from cass.training.pretrain_fit import Pretraining, prepare_pretraining
from cass.types import BRANCHES
from conftest import TINY

PIXELS = np.random.default_rng(0).integers(0, 256, (20, 32, 32, 3), dtype=np.uint8)
ROWS = np.array([7, 3, 19, 0, 11, 5, 2, 16])


def prepare(tmp_path: Path, *, earlier: int | None = None, **settings: Any) -> Pretraining:
    config = PretrainConfig(**TINY | {"data": "scans", "out": tmp_path} | settings)
    resolved = resolve_method(config)
    return prepare_pretraining(
        config,
        resolved.kind,
        BRANCHES,
        recipe=resolved.recipe,
        store=ImageStore(PIXELS, {}),
        rows=ROWS,
        earlier_batch_size=earlier,
    )


def test_targets_are_in_the_order_of_the_training_images(tmp_path: Path) -> None:
    run = prepare(tmp_path)
    targets = run.method.start_state()["targets"]
    assert targets.shape == (8, 32)
    one: Any = run.images[[2, 5], 2]
    assert one.rows.tolist() == [19, 5]
    assert one.positions.tolist() == [2, 5]
    assert np.array_equal(one.pixels.numpy(), PIXELS[[19, 5]])
    assert (run.resolved["batch_size"], run.resolved["processes"]) == (8, 1)


def test_the_same_settings_prepare_the_same_run(tmp_path: Path) -> None:
    first, second = (prepare(tmp_path).method.state_dict() for _ in range(2))
    assert all(torch.equal(value, second[name]) for name, value in first.items())


def test_a_random_start_is_said_by_the_method(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("cass"), "propagate", True)
    prepare(tmp_path, objective="cosine")
    assert "randomly initialised" not in caplog.text
    prepare(tmp_path)
    assert "randomly initialised" in caplog.text


def test_a_resumed_run_keeps_its_batch_size_and_small_steps_are_refused(tmp_path: Path) -> None:
    assert prepare(tmp_path, batch_size="auto", earlier=6).batch_size == 6
    assert prepare(tmp_path, batch_size="auto").batch_size == 16
    with pytest.raises(ConfigError, match=r"cannot be split into 3 parts.*--batch-size 6"):
        prepare(tmp_path, batch_size=4, accumulate=3)


def test_hard_views_are_not_what_the_watch_looks_at(tmp_path: Path) -> None:
    run = prepare(tmp_path)
    assert run.watched_views is run.make_views
    two = prepare(tmp_path, method="simsiam", method_config={"width": 32})
    images = torch.rand(2, 3, 32, 32)
    assert len(two.make_views(images, 0, range(2))) == 2
    assert len(two.watched_views(images, 0, range(2))) == 1
