"""What the tests of embedding and predicting share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tiny_runs import write_images, write_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random branches as cass pretrain saves them."""
    return write_run(tmp_path_factory.mktemp("run") / "a")


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random branches with heads, as cass finetune saves them."""
    return write_run(tmp_path_factory.mktemp("run") / "tuned", classes=("bénin", "malignant"))


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """30 images in three folders."""
    return write_images(tmp_path_factory.mktemp("images"))


@pytest.fixture
def short_shards(monkeypatch: pytest.MonkeyPatch) -> int:
    """Shards of 7 rows, so that 30 images need 5."""
    monkeypatch.setattr("cass.runs.shards.SHARD_ROWS", 7)
    return 7
