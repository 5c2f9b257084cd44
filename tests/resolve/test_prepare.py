from __future__ import annotations

from pathlib import Path

import pytest

from cass.config.prepare import PrepareDicomConfig, PrepareNiftiConfig, PrepareSetConfig, PrepareSlidesConfig
from cass.errors import ConfigError, DataError, OutputError
from cass.resolve.prepare import resolve_dicom, resolve_nifti, resolve_prepared_set, resolve_slides


def files(folder: Path, *names: str) -> str:
    for name in names:
        (folder / name).write_bytes(b"")
    return str(folder)


def test_the_csv_lies_in_the_folder_unless_named(tmp_path: Path) -> None:
    assert resolve_prepared_set(PrepareSetConfig(folder=tmp_path)) == tmp_path / "labels.csv"
    elsewhere = tmp_path / "set.csv"
    assert resolve_prepared_set(PrepareSetConfig(folder=tmp_path, out=elsewhere)) == elsewhere


def test_a_set_needs_a_folder_and_a_new_csv(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere does not exist"):
        resolve_prepared_set(PrepareSetConfig(folder=tmp_path / "nowhere"))
    (tmp_path / "labels.csv").write_text("image\n")
    with pytest.raises(OutputError, match="already exists"):
        resolve_prepared_set(PrepareSetConfig(folder=tmp_path))


def test_only_files_that_may_be_dicom_are_taken(tmp_path: Path) -> None:
    data = files(tmp_path, "a.dcm", "b.png")
    assert resolve_dicom(PrepareDicomConfig(data=data, out=tmp_path / "new")).images == ("a.dcm",)
    (tmp_path / "a.dcm").unlink()
    with pytest.raises(ConfigError, match="holds no DICOM file"):
        resolve_dicom(PrepareDicomConfig(data=data, out=tmp_path / "new"))


def test_volumes_and_slides_are_told_by_their_suffix(tmp_path: Path) -> None:
    data = files(tmp_path, "a.nii.gz", "b.svs", "c.png")
    assert resolve_nifti(PrepareNiftiConfig(data=data, out=tmp_path / "new")).images == ("a.nii.gz",)
    assert resolve_slides(PrepareSlidesConfig(data=data, out=tmp_path / "new")).images == ("b.svs",)
