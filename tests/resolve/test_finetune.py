from __future__ import annotations

from pathlib import Path

import pytest

from cass.config.finetune import FinetuneConfig
from cass.errors import ConfigError, DataError, OutputError
from cass.resolve.finetune import resolve_finetune


def config(pretrained: Path, scans: Path, out: Path, **settings: object) -> FinetuneConfig:
    return FinetuneConfig(**({"run": pretrained, "labels": str(scans), "out": out, "device": "cpu"} | settings))


def test_run_branches_and_data_are_known(pretrained: Path, scans: Path, tmp_path: Path) -> None:
    found = resolve_finetune(config(pretrained, scans, tmp_path / "new"))
    assert found.pretraining.image_size == 32
    assert found.names == ("cnn", "transformer")
    assert found.manifest.classes == ("cross", "disc", "stripes")
    one = resolve_finetune(config(pretrained, scans, tmp_path / "new", branch="cnn"))
    assert one.names == ("cnn",)


def test_labels_are_needed(pretrained: Path, scans: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no labels"):
        resolve_finetune(config(pretrained, scans.parent / "images", tmp_path / "new"))


def test_the_run_must_be_one_of_pretrain(scans: Path, tuned: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cass pretrain"):
        resolve_finetune(config(scans.parent, scans, tmp_path / "new"))
    with pytest.raises(OutputError, match="is not empty"):
        resolve_finetune(config(tuned, scans, tuned))


def test_words_are_checked_first(tmp_path: Path) -> None:
    settings = config(tmp_path / "nowhere", tmp_path / "nowhere.csv", tmp_path / "new", views="radiologie")
    with pytest.raises(ConfigError, match="Did you mean 'radiology'"):
        resolve_finetune(settings)
