from __future__ import annotations

import json
from pathlib import Path

import pytest

from cass.config.pretrain import PretrainConfig
from cass.errors import OutputError
from cass.runs.folder import write_start
from cass.runs.pretrain_folder import (
    claim_folder,
    earlier_batch_size,
    earlier_checkpoint,
    earlier_objective,
    earlier_splits,
)


def config(out: Path, **settings: object) -> PretrainConfig:
    return PretrainConfig(**{"data": "scans", "out": out} | settings)


def test_a_new_run_has_nothing_to_take_over(tmp_path: Path) -> None:
    fresh = config(tmp_path / "run", resume=True)
    claim_folder(fresh)
    assert earlier_splits(fresh) is None
    assert earlier_batch_size(fresh) is None
    assert earlier_checkpoint(fresh) is None


def test_a_resumed_run_takes_over_what_the_stopped_one_settled(tmp_path: Path) -> None:
    write_start(tmp_path, config(tmp_path))
    (tmp_path / "resolved.json").write_text(json.dumps({"batch_size": 24}))
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "last.ckpt").write_bytes(b"")
    resumed = config(tmp_path, resume=True, devices=1, num_workers=3, cache="off")
    claim_folder(resumed)
    assert earlier_batch_size(resumed) == 24
    assert earlier_checkpoint(resumed) == tmp_path / "checkpoints" / "last.ckpt"
    assert earlier_batch_size(config(tmp_path)) is None
    assert earlier_checkpoint(config(tmp_path)) is None


def test_a_resumed_run_keeps_its_objective(tmp_path: Path) -> None:
    write_start(tmp_path, config(tmp_path))
    kept = tmp_path / "resolved.json"
    kept.write_text(json.dumps({"batch_size": 24, "objective": "neighbours"}))
    assert earlier_objective(config(tmp_path, resume=True)) == "neighbours"
    assert earlier_objective(config(tmp_path)) is None
    kept.write_text(json.dumps({"batch_size": 24}))  # as before the default changed
    assert earlier_objective(config(tmp_path, resume=True)) == "joint"
    assert earlier_objective(config(tmp_path, resume=True, method="dino")) is None


def test_folders_that_hold_something_else_are_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="not empty"):
        claim_folder(config(tmp_path))
    with pytest.raises(OutputError, match="no run to continue"):
        claim_folder(config(tmp_path, resume=True))
    write_start(tmp_path, config(tmp_path))
    with pytest.raises(OutputError, match="started with epochs = 100, not 7"):
        claim_folder(config(tmp_path, resume=True, epochs=7))
    (tmp_path / "summary.json").write_text("{}")
    with pytest.raises(OutputError, match="has finished"):
        claim_folder(config(tmp_path, resume=True))
