from __future__ import annotations

from pathlib import Path

import pytest

from cass.config.split import SplitConfig
from cass.errors import DataError, OutputError
from cass.resolve.split import resolve_split


def test_the_data_set_is_read(scans: Path, tmp_path: Path) -> None:
    manifest = resolve_split(SplitConfig(data=str(scans), out=tmp_path / "safe.csv"))
    assert len(manifest) == 60
    assert manifest.groups is not None


def test_the_output_is_checked_before_the_data(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="nowhere does not exist"):
        resolve_split(SplitConfig(data="missing.csv", out=tmp_path / "nowhere" / "safe.csv"))
    with pytest.raises(DataError, match=r"missing\.csv does not exist"):
        resolve_split(SplitConfig(data=str(tmp_path / "missing.csv"), out=tmp_path / "safe.csv"))
