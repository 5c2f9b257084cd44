"""What the settings of ``cass prepare`` mean."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from cass.config.prepare import PrepareDicomConfig, PrepareNiftiConfig, PrepareSetConfig, PrepareSlidesConfig
from cass.data.formats.dicom import Dicom
from cass.data.formats.references import file_of
from cass.data.manifest.kinds import FileKind
from cass.data.manifest.manifest import Manifest, load_manifest
from cass.data.prepare.nifti import NIFTI_SUFFIXES
from cass.data.prepare.slides import SLIDE_SUFFIXES
from cass.errors import ConfigError, DataError
from cass.resolve.naming import check_new_csv


def resolve_prepared_set(config: PrepareSetConfig) -> Path:
    """Check the folder of a public set and the CSV to write.

    Returns:
        The CSV.

    Raises:
        ConfigError: The output is no .csv file.
        DataError: The folder does not exist.
        OutputError: The output exists, or cannot be written.
    """
    if not config.folder.is_dir():
        problem = "is not a folder" if config.folder.exists() else "does not exist"
        raise DataError(f"{config.folder} {problem}", "Give the folder with your copy of the dataset.")
    out = config.out or config.folder / "labels.csv"
    check_new_csv(out)
    return out


def resolve_dicom(config: PrepareDicomConfig) -> Manifest:
    """List the DICOM files.

    Raises:
        ConfigError: There is none.
        DataError: The data set is missing or malformed.
    """
    manifest = load_manifest(config.data, config)
    dicom = [row for row, name in enumerate(manifest.images) if _may_be_dicom(name)]
    if not dicom:
        raise ConfigError(f"{config.data} holds no DICOM file", "Give a folder or CSV of DICOM files.")
    return manifest.subset(dicom)


def resolve_nifti(config: PrepareNiftiConfig) -> Manifest:
    """List the volumes.

    Raises:
        DataError: The data set is missing or malformed, or holds no volume.
    """
    return load_manifest(config.data, config, kind=FileKind(NIFTI_SUFFIXES))


def resolve_slides(config: PrepareSlidesConfig) -> Manifest:
    """List the slides.

    Raises:
        DataError: The data set is missing or malformed, or holds no slide.
    """
    return load_manifest(config.data, config, kind=FileKind(SLIDE_SUFFIXES))


def _may_be_dicom(name: str) -> bool:
    return PurePosixPath(file_of(name)).suffix.lower() in ("", *Dicom.suffixes)
