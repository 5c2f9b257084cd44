"""Messages that name the option."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from cass.errors import CassError, ConfigError, OutputError

EntryT = TypeVar("EntryT")


@contextmanager
def named(option: str) -> Iterator[None]:
    """Name an option in front of the error that its value causes.

    Args:
        option: Such as ``--finetune``.

    Raises:
        CassError: What the block raised, of the same class, with the option in its message.
    """
    try:
        yield
    except CassError as error:
        raise type(error)(f"{option}: {error.what}", error.fix) from None


def chosen(option: str, name: str, table: Mapping[str, EntryT]) -> EntryT:
    """Look up the value of an option in a registry.

    Args:
        option: Such as ``--views``.
        name: What the user gave.
        table: The registry.

    Raises:
        ConfigError: There is no such entry; the message names the nearest.
    """
    try:
        return table[name]
    except ConfigError as error:
        raise ConfigError(f"{option} {name!r}: {error.what[:1].lower()}{error.what[1:]}", error.fix) from None


def check_parent(path: Path, *, option: str) -> None:
    """Make sure that the folder of a file to write exists and can be written to.

    Raises:
        OutputError: It does not, or cannot.
    """
    if not path.parent.is_dir():
        raise OutputError(
            f"{option} {path}: the folder {path.parent} does not exist", "Create it, or name another."
        )
    if not os.access(path.parent, os.W_OK):
        raise OutputError(f"{option} {path}: the folder {path.parent} is read-only", "Name another.")


def check_report(path: Path, *, option: str, inputs: Sequence[Path], overwrite: bool) -> None:
    """Make sure that a report can be written, and replaces nothing that it must not.

    Args:
        path: The report.
        option: The option that names it.
        inputs: Files that are never replaced.
        overwrite: Whether another file may be replaced.

    Raises:
        OutputError: It would replace an input, or a file without ``overwrite``; or its folder does not exist.
    """
    if path.exists():
        if any(source.exists() and path.samefile(source) for source in inputs):
            raise OutputError(f"{option} {path} is an input of this command", "Name another file.")
        if path.is_dir() or not overwrite:
            raise OutputError(f"{option} {path} already exists", "Name another file, or pass --overwrite.")
    check_parent(path, option=option)


def check_new_csv(path: Path, *, option: str = "--out") -> None:
    """Make sure that a CSV can be written.

    Raises:
        ConfigError: Its name does not end in .csv.
        OutputError: It exists, or its folder does not.
    """
    if path.suffix.lower() != ".csv":
        raise ConfigError(f"{option} {path} is not a .csv file", "Name a file such as labels.csv.")
    if path.exists():
        raise OutputError(f"{option} {path} already exists", "Remove it, or name a new file.")
    check_parent(path, option=option)
