from __future__ import annotations

from pathlib import Path

import pytest

from cass.config.compare import CompareConfig
from cass.errors import ConfigError, DataError, OutputError
from cass.resolve.compare import resolve_compare
from conftest import TINY, write_scans


def config(folder: Path, **settings: object) -> CompareConfig:
    return CompareConfig(**(TINY | {"data": str(folder / "labels.csv"), "out": folder / "new"} | settings))


def test_the_data_set_is_returned_and_nothing_is_written(tmp_path: Path) -> None:
    write_scans(tmp_path)
    assert len(resolve_compare(config(tmp_path))) == 60
    assert not (tmp_path / "new").exists()


def test_the_fine_tuning_is_checked_before_the_pretraining(tmp_path: Path) -> None:
    write_scans(tmp_path)
    with pytest.raises(ConfigError, match=r"--finetune: --views 'papr'"):
        resolve_compare(config(tmp_path, finetune={"views": "papr"}))
    with pytest.raises(ConfigError, match=r"--label-fractions 10 is not a share"):
        resolve_compare(config(tmp_path, label_fractions=(0.1, 10)))


def test_a_set_without_labels_cannot_be_compared(tmp_path: Path) -> None:
    write_scans(tmp_path)
    with pytest.raises(DataError, match="has no labels"):
        resolve_compare(config(tmp_path, data=str(tmp_path / "images")))


def test_a_taken_folder_is_for_resume_only(tmp_path: Path) -> None:
    write_scans(tmp_path)
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="is not empty"):
        resolve_compare(config(tmp_path))
    assert resolve_compare(config(tmp_path, resume=True))
