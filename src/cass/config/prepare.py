"""The settings of ``cass prepare``, one model for each kind of source."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from cass.config.base import Settings
from cass.config.shared import LabelSettings, Source
from cass.config.verbs import GROUPS, Group, verb

_FILES = "A folder (sub-folders may be splits and classes) or a CSV with the columns image,label[,group][,split]."
_OUT = "Folder to write pictures and labels.csv to; new, or one where the same command was stopped."
_WINDOW = re.compile(r"(-?\d+(?:\.\d+)?)/(\d+(?:\.\d+)?)")


GROUPS.register("prepare")(
    Group(
        "prepare",
        "Write a manifest of a public data set, or convert DICOM series, NIfTI volumes or whole slides to images.",
        by_kind=True,
    )
)
_SET = "The CSV file, and what it holds beside what the set should hold."
_PICTURES = "The folder, the number of images written, and the unreadable files."


@verb(
    "prepare isic2019",
    resolver="cass.resolve.prepare:resolve_prepared_set",
    order=10,
    runner="cass.workflows.prepare:run_isic2019",
    result="PreparedSet",
    arguments={"folder": "DIR"},
    summary="Write a manifest of ISIC 2019: 25,331 dermoscopic images, with the lesion as group.",
    example="cass prepare isic2019 downloads/isic2019",
    returns=_SET,
)
@verb(
    "prepare dermofit",
    resolver="cass.resolve.prepare:resolve_prepared_set",
    order=11,
    runner="cass.workflows.prepare:run_dermofit",
    result="PreparedSet",
    arguments={"folder": "DIR"},
    summary="Write a manifest of the Dermofit library: 1,300 photographs.",
    example="cass prepare dermofit downloads/dermofit",
    returns=_SET,
)
@verb(
    "prepare brain-tumor-mri",
    resolver="cass.resolve.prepare:resolve_prepared_set",
    order=12,
    runner="cass.workflows.prepare:run_brain_tumor_mri",
    result="PreparedSet",
    arguments={"folder": "DIR"},
    summary="Write a manifest of the brain-tumour MRI set: 7,023 slices, with the official split.",
    example="cass prepare brain-tumor-mri downloads/brain-tumor-mri",
    returns=_SET,
)
class PrepareSetConfig(Settings):
    """Settings of ``cass prepare isic2019``, ``dermofit`` and ``brain-tumor-mri``."""

    folder: Path = Field(description="Folder with your unpacked copy of the dataset.")
    out: Path | None = Field(
        None, description="CSV file to write; must not exist. Default: labels.csv in the folder."
    )


@verb(
    "prepare multilabel",
    resolver="cass.resolve.prepare:resolve_prepared_set",
    order=13,
    runner="cass.workflows.prepare:run_multilabel",
    result="PreparedSet",
    arguments={"folder": "DIR"},
    summary="Write a manifest of images with several findings each, listed in a CSV file.",
    example="cass prepare multilabel biopsies/ --labels findings.csv",
    returns=_SET,
)
class PrepareMultilabelConfig(PrepareSetConfig):
    """Settings of ``cass prepare multilabel``."""

    labels_file: Path = Field(description="CSV with a row for each image and a 0/1 column for each finding.")
    image_column: str | None = Field(
        None, description="Column with the image names; default: the one whose values are images in the folder."
    )
    group_column: str | None = Field(
        None,
        description="Column with patients or slides; default: group, patient, slide or case, if there is one.",
    )
    findings: tuple[str, ...] = Field((), description="Columns with findings; default: all other 0/1 columns.")


class PreparePicturesConfig(LabelSettings):
    """What the kinds that write pictures share."""

    out: Path = Field(description=_OUT)


class _WindowConfig(PreparePicturesConfig):
    @field_validator("window", check_fields=False)
    @classmethod
    def _window(cls, value: str) -> str:
        if value in ("file", "percentile"):
            return value
        match = _WINDOW.fullmatch(value)
        if match is None or float(match[2]) <= 0:
            raise ValueError("give a centre and a width above 0, such as 40/400")
        return value


@verb(
    "prepare dicom",
    resolver="cass.resolve.prepare:resolve_dicom",
    order=14,
    runner="cass.workflows.prepare:run_dicom",
    result="PreparedPictures",
    arguments={"data": "IMAGES"},
    summary="Write DICOM frames as PNG images, with a window of your choice; cass also reads DICOM directly.",
    example="cass prepare dicom dicom/ --out pictures --window 40/400",
    returns=_PICTURES,
    continues=True,
)
class PrepareDicomConfig(_WindowConfig):
    """Settings of ``cass prepare dicom``."""

    data: Source = Field(description=f"DICOM files: {_FILES[0].lower()}{_FILES[1:]}")
    window: str = Field(
        "file",
        description="Intensity window: that of each file (file), the 0.5th to 99.5th percentile of each image "
        "(percentile), or CENTER/WIDTH, such as 40/400.",
    )
    frames: str = Field(
        "all",
        description="Frames to write of a series or multi-frame file: all, middle, or a number N for every Nth.",
    )

    @field_validator("frames")
    @classmethod
    def _frames(cls, value: str) -> str:
        if value not in ("all", "middle") and not (value.isdecimal() and int(value) > 0):
            raise ValueError("give all, middle, or a number above 0")
        return value


@verb(
    "prepare nifti",
    resolver="cass.resolve.prepare:resolve_nifti",
    order=15,
    runner="cass.workflows.prepare:run_nifti",
    result="PreparedPictures",
    arguments={"data": "IMAGES"},
    summary="Cut NIfTI volumes into slices; each volume is a group.",
    example="cass prepare nifti nifti/ --out pictures --axis axial --every 4",
    returns=_PICTURES,
    continues=True,
)
class PrepareNiftiConfig(_WindowConfig):
    """Settings of ``cass prepare nifti``."""

    data: Source = Field(description=f"NIfTI volumes (.nii, .nii.gz): {_FILES[0].lower()}{_FILES[1:]}")
    axis: Literal["axial", "coronal", "sagittal"] = Field("axial", description="Orientation of the slices.")
    every: int = Field(1, ge=1, description="Write every Nth slice.")
    window: str = Field(
        "percentile",
        description="Intensity window: the 0.5th to 99.5th percentile of the volume (percentile), or "
        "CENTER/WIDTH, such as 40/400.",
    )

    @field_validator("window")
    @classmethod
    def _no_file(cls, value: str) -> str:
        if value == "file":
            raise ValueError("a volume has no window of its own; give percentile or CENTER/WIDTH")
        return value


@verb(
    "prepare slides",
    resolver="cass.resolve.prepare:resolve_slides",
    order=16,
    runner="cass.workflows.prepare:run_slides",
    result="PreparedPictures",
    arguments={"data": "IMAGES"},
    summary="Cut whole slides into tiles of tissue; each slide is a group.",
    example="cass prepare slides slides/ --out pictures --level 1",
    returns=_PICTURES,
    continues=True,
)
class PrepareSlidesConfig(PreparePicturesConfig):
    """Settings of ``cass prepare slides``."""

    data: Source = Field(description=f"Whole-slide TIFF files: {_FILES[0].lower()}{_FILES[1:]}")
    tile_size: int = Field(256, ge=16, le=8192, description="Width and height of a tile, in pixels at its level.")
    level: int = Field(0, ge=0, description="Pyramid level; 0 is the highest resolution.")
    tissue: float = Field(
        0.5, ge=0, le=1, description="Minimum share of tissue in a tile; 0 also keeps background tiles."
    )


def parse_window(text: str) -> Literal["file", "percentile"] | tuple[float, float]:
    """Read a checked window.

    Args:
        text: ``file``, ``percentile`` or ``CENTER/WIDTH``.
    """
    if text == "file":
        return "file"
    if text == "percentile":
        return "percentile"
    centre, width = text.split("/")
    return float(centre), float(width)
