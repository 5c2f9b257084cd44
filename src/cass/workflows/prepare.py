"""``cass prepare``: public sets, and files of many pictures, made into a manifest that cass reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cass.config.prepare import (
    PrepareDicomConfig,
    PrepareMultilabelConfig,
    PrepareNiftiConfig,
    PreparePicturesConfig,
    PrepareSetConfig,
    PrepareSlidesConfig,
    parse_window,
)
from cass.data.manifest.csv_text import manifest_csv
from cass.data.manifest.manifest import Manifest
from cass.data.prepare.brain_tumor_mri import read_brain_tumor_mri
from cass.data.prepare.cutting import PreparedPictures, write_pictures
from cass.data.prepare.dermofit import read_dermofit
from cass.data.prepare.dicom_frames import Windowing, choose_frames
from cass.data.prepare.isic2019 import read_isic2019
from cass.data.prepare.multilabel import read_multilabel
from cass.data.prepare.nifti import Slicing
from cass.data.prepare.prepared import Prepared
from cass.data.prepare.slides import Tiling
from cass.files import write_named
from cass.reports.lines import unreadable_files
from cass.reports.prepared_set import counts_table, next_step
from cass.reports.tables import Cells
from cass.resolve.prepare import resolve_dicom, resolve_nifti, resolve_prepared_set, resolve_slides


@dataclass(frozen=True)
class PreparedSet:
    """A public set that is ready for cass.

    Attributes:
        out: The CSV.
        prepared: What is in it, beside what it should hold.
        label_columns: Columns to give as ``label_columns`` wherever the CSV is read.
    """

    out: Path
    prepared: Prepared
    label_columns: tuple[str, ...] = ()


def run_isic2019(config: PrepareSetConfig, resolved: Path | None = None) -> PreparedSet:
    """Read the training set of ISIC 2019."""
    return _write_set(config, resolved, lambda: read_isic2019(config.folder))


def run_dermofit(config: PrepareSetConfig, resolved: Path | None = None) -> PreparedSet:
    """Read the Dermofit library."""
    return _write_set(config, resolved, lambda: read_dermofit(config.folder))


def run_brain_tumor_mri(config: PrepareSetConfig, resolved: Path | None = None) -> PreparedSet:
    """Read the brain-tumour MRI set."""
    return _write_set(config, resolved, lambda: read_brain_tumor_mri(config.folder))


def run_multilabel(config: PrepareMultilabelConfig, resolved: Path | None = None) -> PreparedSet:
    """Read a folder and a table of findings."""
    return _write_set(
        config,
        resolved,
        lambda: read_multilabel(
            config.folder,
            config.labels_file,
            image_column=config.image_column,
            group_column=config.group_column,
            findings=config.findings,
        ),
    )


def run_dicom(config: PrepareDicomConfig, resolved: Manifest | None = None) -> PreparedPictures:
    """Write windowed pictures of DICOM files."""
    manifest = resolved or resolve_dicom(config)
    manifest = manifest.subset(choose_frames(manifest, config.frames))
    return write_pictures("dicom", config, manifest, Windowing(parse_window(config.window)), unit="frames")


def run_nifti(config: PrepareNiftiConfig, resolved: Manifest | None = None) -> PreparedPictures:
    """Write slices of NIfTI volumes."""
    manifest = resolved or resolve_nifti(config)
    window = parse_window(config.window)
    assert window != "file"  # the configuration refuses it
    return write_pictures("nifti", config, manifest, Slicing(config.axis, config.every, window), unit="slices")


def run_slides(config: PrepareSlidesConfig, resolved: Manifest | None = None) -> PreparedPictures:
    """Write tiles of whole slides."""
    tiling = Tiling(config.tile_size, config.level, config.tissue)
    return write_pictures("slides", config, resolved or resolve_slides(config), tiling, unit="tiles")


def show(
    result: PreparedSet | PreparedPictures, config: PrepareSetConfig | PreparePicturesConfig
) -> Iterator[str | Cells]:
    """Yield what the command prints."""
    if isinstance(result, PreparedSet):
        yield counts_table(result.prepared)
        yield from (f"Note: {note}" for note in result.prepared.notes)
        yield f"Wrote {result.out}: {len(result.prepared.manifest):,} images"
        yield next_step(result.out, result.label_columns)
    else:
        dropped = f", {result.dropped:,} empty ones dropped" if result.dropped else ""
        yield (
            f"Wrote {result.out}: {result.pictures:,} {result.unit} of {result.files:,} files{dropped}"
            f"{unreadable_files(result.unreadable)}"
        )
        yield next_step(result.out, config.label_columns if isinstance(config, PreparePicturesConfig) else ())


def _write_set(config: PrepareSetConfig, resolved: Path | None, read: Callable[[], Prepared]) -> PreparedSet:
    """Read a set and write its CSV."""
    out = resolved or resolve_prepared_set(config)
    prepared = read()
    manifest = prepared.manifest
    write_named(out, manifest_csv(manifest, folder=out.parent))
    return PreparedSet(out, prepared, manifest.label_columns)
