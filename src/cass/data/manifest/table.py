"""A table file as columns of stripped text that remember their line numbers."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cass.data.manifest.sheet_rows import sheet_rows
from cass.data.manifest.text_rows import text_rows
from cass.errors import DataError

TABLE_SUFFIXES = (".csv", ".tsv", ".xlsx")
"""Lower-case suffixes of the tables that cass reads."""

_SHARED = 65_536  # most distinct cells of a column that are kept once each


@dataclass(frozen=True)
class Table:
    """The cells of a table file.

    Attributes:
        path: The file.
        columns: Header name -> its N cells, stripped; an empty cell is ``""``.
        lines: The line or spreadsheet row (from 1) on which each of the N rows ends.
    """

    path: Path
    columns: dict[str, list[str]]
    lines: Sequence[int]

    def __len__(self) -> int:
        """Number of rows N."""
        return len(self.lines)


def read_table(path: Path) -> Table:
    """Read a table with a header; blank rows are passed over.

    Args:
        path: UTF-8 text separated by commas, semicolons or tabs, or an ``.xlsx`` file, whose first sheet counts.

    Returns:
        At least one row, and one list of equal length per column.

    Raises:
        DataError: The file cannot be read, has no rows, repeats a column or has a row of another length than the
            header; the message says how to fix it.
    """
    numbered = sheet_rows(path) if path.suffix.lower() == ".xlsx" else text_rows(path)
    rows = ((line, [cell.strip() for cell in cells]) for line, cells in numbered)
    return _sort_rows(path, ((line, cells) for line, cells in rows if any(cells)))


def _sort_rows(path: Path, rows: Iterator[tuple[int, list[str]]]) -> Table:
    """Sort rows into columns as they come, and equal cells into one string."""
    _, header = next(rows, (0, list[str]()))
    if not header:
        raise DataError(f"{path} is empty", "Write a header such as image,label and one row per image.")
    repeated = sorted({name for name in header if name and header.count(name) > 1})
    if repeated:
        raise DataError(f"{path} has the column {repeated[0]!r} more than once", "Rename or remove one of them.")
    columns: list[list[str]] = [[] for _ in header]
    known: list[dict[str, str]] = [{} for _ in header]
    lines = array("q")
    for line, cells in rows:
        if len(cells) != len(header):
            raise DataError(
                f"{path} line {line} has {len(cells)} cells, its header {len(header)}",
                "Give the row one cell per column; put text that holds a separator in double quotes.",
            )
        lines.append(line)
        for column, once, cell in zip(columns, known, cells, strict=True):
            column.append(once.setdefault(cell, cell) if len(once) < _SHARED else once.get(cell, cell))
    if not lines:
        raise DataError(f"{path} has a header but no rows", "Add one row per image.")
    # Spreadsheets leave nameless columns at the right; they carry nothing a user could refer to.
    return Table(path=path, columns={name: columns[i] for i, name in enumerate(header) if name}, lines=lines)
