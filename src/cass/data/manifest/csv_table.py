"""A CSV file as columns of stripped text that remember their line numbers."""

from __future__ import annotations

import csv
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cass.errors import DataError

_SHARED = 65_536  # most distinct cells of a column that are kept once each


@dataclass(frozen=True)
class Table:
    """The cells of a CSV file.

    Attributes:
        path: The file.
        columns: Header name -> its N cells, stripped; an empty cell is ``""``.
        lines: The line in the file (from 1) on which each of the N rows ends.
    """

    path: Path
    columns: dict[str, list[str]]
    lines: Sequence[int]

    def __len__(self) -> int:
        """Number of rows N."""
        return len(self.lines)


def read_table(path: Path) -> Table:
    """Read a comma-separated UTF-8 file; blank rows are passed over.

    The csv module is used rather than pandas because it knows line numbers, and never turns a class
    named "NA" or a patient numbered "007" into something else.

    Args:
        path: A CSV file with a header, with or without a byte-order mark.

    Returns:
        At least one row, and one list of equal length per column.

    Raises:
        DataError: The file is not UTF-8 text, uses another separator, has no rows, repeats a column
            or has a row of another length than the header; the message says how to save it.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _read_rows(path, csv.reader(file))
    except UnicodeDecodeError:
        raise DataError(f"{path} is not UTF-8 text", "Save it as 'CSV UTF-8 (comma delimited)'.") from None
    except (csv.Error, OSError) as error:
        raise DataError(
            f"{path} cannot be read as CSV ({error})", "Save it again as comma-separated text."
        ) from None


def _read_rows(path: Path, reader: Any) -> Table:
    """Sort the rows of a csv reader into columns as they come, and equal cells into one string."""
    rows = ([cell.strip() for cell in row] for row in reader)
    header = next((cells for cells in rows if any(cells)), None)
    if header is None:
        raise DataError(f"{path} is empty", "Write a header such as image,label and one row per image.")
    _check_header(path, header)
    columns: list[list[str]] = [[] for _ in header]
    known: list[dict[str, str]] = [{} for _ in header]
    lines = array("q")
    for cells in rows:
        if not any(cells):
            continue
        if len(cells) != len(header):
            raise DataError(
                f"{path} line {reader.line_num} has {len(cells)} cells, its header {len(header)}",
                "Give the row one cell per column; put text that holds a comma in double quotes.",
            )
        lines.append(reader.line_num)
        for column, once, cell in zip(columns, known, cells, strict=True):
            column.append(once.setdefault(cell, cell) if len(once) < _SHARED else once.get(cell, cell))
    if not lines:
        raise DataError(f"{path} has a header but no rows", "Add one row per image.")
    # Spreadsheets leave nameless columns at the right; they carry nothing a user could refer to.
    return Table(path=path, columns={name: columns[i] for i, name in enumerate(header) if name}, lines=lines)


def _check_header(path: Path, header: list[str]) -> None:
    """Refuse a header that is separated by something else than commas, or repeats a name."""
    if len(header) == 1:
        for separator, name in ((";", "semicolons"), ("\t", "tabs")):
            if separator in header[0]:
                raise DataError(
                    f"{path} is separated by {name}, not commas",
                    f"Save it with commas, or in Python: pandas.read_csv({path.name!r}, sep={separator!r})"
                    f".to_csv({path.name!r}, index=False).",
                )
    repeated = sorted({name for name in header if name and header.count(name) > 1})
    if repeated:
        raise DataError(f"{path} has the column {repeated[0]!r} more than once", "Rename or remove one of them.")
