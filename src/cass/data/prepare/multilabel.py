"""A folder of images and a table of findings, several an image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from cass.data.manifest.columns import labels_from_columns
from cass.data.manifest.folders import list_images
from cass.data.manifest.manifest import build_manifest
from cass.data.manifest.table import Table, read_table
from cass.data.prepare.prepared import Prepared, check_folder
from cass.errors import DataError, did_you_mean

_GROUPS = ("group", "patient", "patient_id", "slide", "slide_id", "case")
_FLAGS = ("", "0", "1", "0.0", "1.0")


def read_multilabel(
    folder: Path,
    table: Path,
    *,
    image_column: str | None = None,
    group_column: str | None = None,
    findings: Sequence[str] = (),
) -> Prepared:
    """Read findings and the images that they are of.

    Args:
        folder: Holds the images, at any depth.
        table: CSV with a row for each image: a column with its name (with or without folder and suffix), and 0/1
            columns, one a finding. A row of zeros is an image without a finding, one of empty cells is unlabelled.
        image_column: The column of names; None takes the one whose cells are images of the folder.
        group_column: The column that tells patients or slides apart; None takes ``group``, ``patient``,
            ``patient_id``, ``slide``, ``slide_id`` or ``case``, in any case, where there is one.
        findings: The columns of findings; empty takes every other column of nothing but 0 and 1.

    Returns:
        A multi-label manifest. Images without a row are ignored.

    Raises:
        DataError: No column fits, a row names no image or two, or a cell is neither 0 nor 1.
    """
    check_folder(folder)
    if not table.is_file():
        raise DataError(f"{table} does not exist", "Give the CSV file of the findings with --labels.")
    cells = read_table(table)
    files = _by_name(list_images(folder))
    image = image_column or _column_of_images(cells, files, folder)
    group = group_column or next((name for name in cells.columns if name.lower() in _GROUPS), None)
    for name in (image, group, *findings):
        if name is not None and name not in cells.columns:
            hint = did_you_mean(name, cells.columns) or f"It has {', '.join(map(repr, cells.columns))}."
            raise DataError(f"{table} has no column {name!r}", hint)
    chosen = tuple(findings) or tuple(
        name
        for name, column in cells.columns.items()
        if name not in (image, group) and all(cell in _FLAGS for cell in column) and any(column)
    )
    if not chosen:
        raise DataError(f"{table} has no 0/1 column", "Write one column a finding, 0 or 1 in each row.")
    images = [_image(cells, row, image, files) for row in range(len(cells))]
    repeated = [name for name, count in Counter(images).items() if count > 1]
    if repeated:
        raise DataError(f"{table} has two rows of the image {repeated[0]}", "Keep one row an image.")
    labels, labelled = labels_from_columns(cells, chosen)
    manifest = build_manifest(
        root=folder,
        images=tuple(images),
        labels=labels,
        labelled=labelled,
        task="multilabel",
        groups=None if group is None else cells.columns[group],
        label_columns=chosen,
    )
    return Prepared(manifest, {}, tuple(_notes(files, images, labels, labelled, group)))


def _by_name(images: Sequence[str]) -> dict[str, list[str]]:
    """List images by all that a table may call them: path, name, name without suffix."""
    known: dict[str, list[str]] = {}
    for image in images:
        path = PurePosixPath(image)
        for name in {image, path.name, path.stem, path.with_suffix("").as_posix()}:
            known.setdefault(name, []).append(image)
    return known


def _column_of_images(cells: Table, files: dict[str, list[str]], folder: Path) -> str:
    shares = {
        name: sum(cell.replace("\\", "/") in files for cell in column) for name, column in cells.columns.items()
    }
    best = max(shares, key=lambda name: shares[name])
    if not shares[best]:
        raise DataError(
            f"No column of {cells.path} names images of {folder}", "Name the column with --image-column."
        )
    return best


def _image(cells: Table, row: int, column: str, files: dict[str, list[str]]) -> str:
    name = cells.columns[column][row].replace("\\", "/")
    found = files.get(name, [])
    if len(found) == 1:
        return found[0]
    where = f"{cells.path} line {cells.lines[row]}"
    if not found:
        raise DataError(f"{where}: there is no image {name!r}", "Fix the name, or remove the row.")
    raise DataError(f"{where}: {name!r} may be {found[0]} or {found[1]}", "Write the path within the folder.")


def _notes(
    files: dict[str, list[str]],
    images: Sequence[str],
    labels: Sequence[tuple[str, ...]],
    labelled: Sequence[bool],
    group: str | None,
) -> list[str]:
    notes = []
    unlisted = len({name for found in files.values() for name in found} - set(images))
    if unlisted:
        notes.append(f"{unlisted:,} images have no row and are ignored.")
    unlabelled = len(labelled) - sum(labelled)
    if unlabelled:
        notes.append(f"Unlabelled: {unlabelled:,} images.")
    healthy = sum(known and not names for known, names in zip(labelled, labels, strict=True))
    if healthy:
        notes.append(f"Without any finding: {healthy:,} images.")
    notes.append(
        f"Groups are taken from the column {group!r}."
        if group
        else "There is no column of patients or slides (--group-column): each image is a group of its own."
    )
    return notes
