"""The columns of a CSV manifest, checked cell by cell."""

from __future__ import annotations

import os.path
import posixpath
from collections.abc import Sequence

from cass.data.formats.references import file_of
from cass.data.manifest.column_roles import FLAGS
from cass.data.manifest.folders import SPLIT_NAMES
from cass.data.manifest.kinds import IMAGES, FileKind
from cass.data.manifest.stems import StemFinder
from cass.data.manifest.table import Table
from cass.errors import ConfigError, DataError, did_you_mean
from cass.types import Task


def image_paths(table: Table, *, kind: FileKind = IMAGES) -> tuple[str, ...]:
    """Check the column ``image``; a name without suffix stands for the one image of that name.

    Args:
        table: A table with that column.
        kind: Which files may stand in it.

    Returns:
        N paths with forward slashes, relative to the CSV's folder.

    Raises:
        DataError: A cell is empty, listed twice, of a format that cass does not read, or names no
            file; the message has its line.
    """
    # A million rows: strings instead of Path objects, and no second string for what is already normal.
    root, seen, missing = str(table.path.parent), set[str](), list[str]()
    stems = StemFinder(root, kind)
    images: list[str] = []
    for cell, line in zip(table.columns["image"], table.lines, strict=True):
        if not cell:
            raise DataError(f"{table.path} line {line} has an empty image", "Fill in the path or remove the row.")
        image = stems.complete(cell.replace("\\", "/"))
        file = file_of(image)
        if not posixpath.splitext(file)[1] and not os.path.isfile(os.path.join(root, file)):
            missing.append(cell)
            images.append(image)
            continue
        if not kind.includes(os.path.join(root, file)):
            raise DataError(
                f"{table.path} line {line}: {cell!r} is not an image that cass reads"
                if kind.images
                else f"{table.path} line {line}: {cell!r} is not what is to be prepared",
                f"Use one of {', '.join(kind.suffixes)}.",
            )
        normal = posixpath.normpath(image)
        key = image if normal == image else normal
        if key in seen:
            first = next(i for i, earlier in enumerate(images) if posixpath.normpath(earlier) == key)
            raise DataError(
                f"{table.path} lists the image {cell!r} on lines {table.lines[first]} and {line}",
                "Keep one row per image; join several labels of an image with '|'.",
            )
        seen.add(key)
        if not os.path.isfile(os.path.join(root, image)) and not os.path.isfile(os.path.join(root, file)):
            missing.append(cell)
        images.append(image)
    if missing:
        raise DataError(
            f"{table.path} lists {len(missing)} of {len(images)} images that do not exist, "
            f"the first {missing[0]!r}",
            f"Image paths are relative to {root}; fix the paths or remove the rows.",
        )
    return tuple(images)


def labels_from_names(table: Table) -> tuple[list[tuple[str, ...]], list[bool], Task]:
    """Read the column ``label``: one name, several joined by ``|``, or none.

    Args:
        table: A table, with or without that column.

    Returns:
        N tuples of class names; N flags, true where labelled; and the task, multi-label where any cell
        holds a ``|``.

    Raises:
        DataError: A cell has a ``|`` but no name; leave it empty.
    """
    cells = table.columns.get("label", [""] * len(table))
    labels: list[tuple[str, ...]] = []
    known: dict[str, tuple[str, ...]] = {}  # labels repeat: one tuple for each, not one a row
    for cell, line in zip(cells, table.lines, strict=True):
        names = known.get(cell)
        if names is None:
            names = known[cell] = tuple(name for part in cell.split("|") if (name := part.strip()))
        if cell and not names:
            raise DataError(
                f"{table.path} line {line}: the label {cell!r} names no class",
                "Leave it empty if unlabelled; for images without any finding use 0/1 label columns.",
            )
        labels.append(names)
    task: Task = "multilabel" if any("|" in cell for cell in cells) else "multiclass"
    return labels, [bool(names) for names in labels], task


def labels_from_columns(table: Table, names: Sequence[str]) -> tuple[list[tuple[str, ...]], list[bool]]:
    """Read several 0/1 columns; a row that is empty in all of them is unlabelled.

    Args:
        table: A table with these columns.
        names: The label columns, each of which is a class.

    Returns:
        N tuples of class names, and N flags, true where labelled.

    Raises:
        ConfigError: A name is given twice.
        DataError: A column is missing, or a cell is neither 0 nor 1; the message has its line.
    """
    if len(set(names)) < len(names):
        raise ConfigError(f"The label columns {', '.join(names)} repeat a name", "Name each column once.")
    for name in names:
        if name not in table.columns:
            raise DataError(
                f"{table.path} has no label column {name!r}",
                did_you_mean(name, table.columns) or f"It has {', '.join(map(repr, table.columns))}.",
            )
    labels, labelled = list[tuple[str, ...]](), list[bool]()
    for i, line in enumerate(table.lines):
        row = {name: table.columns[name][i] for name in names}
        given = any(row.values())
        for name, cell in row.items():
            if given and cell not in FLAGS:
                raise DataError(
                    f"{table.path} line {line}: the label column {name!r} holds {cell!r}",
                    "Write 0 or 1 in every label column, or leave all of them empty for an unlabelled image.",
                )
        labels.append(tuple(name for name, cell in row.items() if given and FLAGS[cell]))
        labelled.append(given)
    return labels, labelled


def split_names(table: Table) -> list[str] | None:
    """Read the column ``split`` into the words train, val and test.

    Args:
        table: A table, with or without that column.

    Returns:
        N splits, or None where the column is absent or wholly empty.

    Raises:
        DataError: A cell is empty or no split's name; the message has its line.
    """
    cells = table.columns.get("split", [])
    if not any(cells):
        return None
    splits: list[str] = []
    for cell, line in zip(cells, table.lines, strict=True):
        if not cell:
            raise DataError(
                f"{table.path} line {line} has no split while other rows have one",
                "Fill in train, val or test in every row, or leave the whole column empty.",
            )
        if cell.lower() not in SPLIT_NAMES:
            raise DataError(
                f"{table.path} line {line}: the split {cell!r} is unknown", "Write train, val or test."
            )
        splits.append(SPLIT_NAMES[cell.lower()])
    return splits
