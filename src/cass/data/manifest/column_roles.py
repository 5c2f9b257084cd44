"""Which column of a table holds the images, the labels, the groups and the splits."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

from cass.config.shared import LabelSettings
from cass.data.manifest.table import Table
from cass.errors import ConfigError, DataError, did_you_mean
from cass.listing import some_of

logger = logging.getLogger(__name__)

FLAGS = {"0": False, "1": True, "0.0": False, "1.0": True}  # pandas writes 1.0 beside empty cells
"""What a cell of a 0/1 column may hold, besides nothing."""

ROLES = ("image", "label", "group", "split")


def with_roles(table: Table, settings: LabelSettings) -> Table:
    """Rename the columns that have a role to ``image``, ``label``, ``group`` and ``split``.

    Args:
        table: A table.
        settings: The names that the user gave; a column of the role's own name, in any case, needs none.

    Returns:
        The table. A column that bears the name of a role that the user gave to another is left out.

    Raises:
        ConfigError: One column is given two roles.
        DataError: A column that was named, or the images, is missing; or a name is only nearly that of a role,
            which would leave its column unused.
    """
    named = {
        "image": settings.image_column,
        "label": settings.label_column,
        "group": settings.group_column,
        "split": None,
    }
    if settings.label_column and settings.label_columns:
        raise ConfigError("--label-column and --label-columns are both given", "Give one.")
    chosen: dict[str, str] = {}
    for role, name in named.items():
        if name is not None and name not in table.columns:
            raise DataError(
                f"--{role}-column: {table.path} has no column {name!r}",
                did_you_mean(name, table.columns) or f"It has {', '.join(map(repr, table.columns))}.",
            )
        found = name or _column_called(role, table)
        if found is None and not (role == "label" and settings.label_columns):
            _refuse_near_name(role, table, settings)
        if found is None or found in settings.label_columns:
            continue
        if found in chosen:
            raise ConfigError(
                f"--{role}-column {found!r} is also the {chosen[found]} column", "Name another column."
            )
        chosen[found] = role
    if "image" not in chosen.values():
        raise DataError(
            f"{table.path} has no column 'image' (it has {', '.join(map(repr, table.columns))})",
            "Name the column that holds the image paths with --image-column.",
        )
    columns = {
        chosen.get(name, name): cells
        for name, cells in table.columns.items()
        if name in chosen or name not in ROLES or name in settings.label_columns
    }
    return replace(table, columns=columns)


def flag_columns(table: Table, *, known: Sequence[str] = ()) -> tuple[str, ...]:
    """Find the 0/1 columns of a table that has no label column.

    Args:
        table: A table whose columns have their roles.
        known: Classes of a trained run, which are taken where the table has them all.

    Returns:
        The classes of a multi-label set; empty where the table has a column of labels, or fewer than two of them.
    """
    if "label" in table.columns:
        return ()
    if known and all(name in table.columns for name in known):
        return tuple(known)
    found = tuple(name for name, cells in table.columns.items() if name not in ROLES and _holds_flags(cells))
    given = [tuple(bool(table.columns[name][row]) for name in found) for row in range(len(table))]
    if len(found) < 2 or any(any(row) and not all(row) for row in given):
        if found:
            logger.warning(
                "%s has no label column, but columns of 0 and 1: %s. Pass --label-column for one of them, or "
                "--label-columns for several.",
                table.path.name,
                some_of(found),
            )
        return ()
    logger.warning(
        "%s has no label column; its 0/1 columns are read as multi-label classes: %s. "
        "--label-columns chooses others.",
        table.path.name,
        some_of(found),
    )
    return found


def _column_called(role: str, table: Table) -> str | None:
    """Find the column of a role by its name; the exact name comes first, then another case."""
    if role in table.columns:
        return role
    return next((name for name in table.columns if name.lower() == role), None)


def _refuse_near_name(role: str, table: Table, settings: LabelSettings) -> None:
    # A column 'splits' that is quietly taken for metadata would put test images into the training.
    near = next((name for name in table.columns if name.lower() == role + "s"), None)
    if near is None or near in settings.label_columns:
        return
    fix = f"Rename it to {role!r}" + ("." if role == "split" else f", or pass --{role}-column {near}.")
    raise DataError(f"{table.path} has a column {near!r} but none named {role!r}", fix)


def _holds_flags(cells: Sequence[str]) -> bool:
    distinct = set(cells)
    return distinct <= {"", *FLAGS} and distinct != {""}
