"""``cass prepare``: a command for each kind of source."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import typer

from cass.cli.messages import skipped
from cass.cli.options import command
from cass.config.prepare import (
    PrepareDicomConfig,
    PrepareMultilabelConfig,
    PrepareNiftiConfig,
    PreparePicturesConfig,
    PrepareSetConfig,
    PrepareSlidesConfig,
)

prepare = typer.Typer(
    help="Make a manifest of a public data set, or pictures of DICOM series, NIfTI volumes or whole slides.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def _prepare_set(kind: str) -> Callable[[PrepareSetConfig], None]:
    def run(config: PrepareSetConfig) -> None:
        from rich.console import Console

        from cass.reports.prepared import counts_table, next_step
        from cass.workflows.prepare import KINDS

        result = KINDS[kind][1](config)
        table = counts_table(result.prepared)
        typer.echo(table.title)  # longer than the table is wide
        Console().print(replace(table, title="").rich())
        for note in result.prepared.notes:
            typer.echo(f"Note: {note}")
        typer.echo(f"Wrote {result.out}: {len(result.prepared.manifest):,} images")
        typer.echo(next_step(result.out, result.label_columns))

    return run


def _prepare_pictures(kind: str) -> Callable[[PreparePicturesConfig], None]:
    def run(config: PreparePicturesConfig) -> None:
        from cass.reports.prepared import next_step
        from cass.workflows.prepare import KINDS

        result = KINDS[kind][1](config)
        dropped = f", {result.dropped:,} that show nothing left out" if result.dropped else ""
        typer.echo(
            f"Wrote {result.out}: {result.pictures:,} {result.unit} of {result.files:,} files{dropped}"
            f"{skipped(result.left_out)}"
        )
        typer.echo(next_step(result.out, config.label_columns))

    return run


def _add(name: str, **kwargs: Any) -> None:
    prepare.command(name)(command(**kwargs))


for _kind, _summary in {
    "isic2019": "The 25,331 dermoscopic images of ISIC 2019, with the lesion as group.",
    "dermofit": "The 1,300 photographs of the Dermofit library.",
    "brain-tumor-mri": "The 7,023 slices of the brain-tumour MRI set, with its official split.",
}.items():
    _add(
        _kind,
        kind=PrepareSetConfig,
        run=_prepare_set(_kind),
        arguments={"folder": "DIR"},
        summary=_summary,
        example=f"cass prepare {_kind} downloads/{_kind}",
    )
_add(
    "multilabel",
    kind=PrepareMultilabelConfig,
    run=_prepare_set("multilabel"),
    arguments={"folder": "DIR"},
    summary="Images with several findings each, and a CSV that says which.",
    example="cass prepare multilabel biopsies/ --labels findings.csv",
)
for _kind, _model, _summary, _given in (
    (
        "dicom",
        PrepareDicomConfig,
        "Write DICOM frames as pictures, with a window of your choice; cass also reads DICOM as it is.",
        "--window 40/400",
    ),
    ("nifti", PrepareNiftiConfig, "Cut NIfTI volumes into slices; a volume is a group.", "--axis axial --every 4"),
    ("slides", PrepareSlidesConfig, "Cut whole slides into tiles of tissue; a slide is a group.", "--level 1"),
):
    _add(
        _kind,
        kind=_model,
        run=_prepare_pictures(_kind),
        arguments={"data": "[IMAGES]"},
        summary=_summary,
        example=f"cass prepare {_kind} {_kind}/ --out pictures {_given}",
    )
