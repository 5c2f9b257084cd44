"""A CSV file as columns of stripped text that remember their line numbers."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from cass.errors import DataError


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
    lines: list[int]

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
            reader = csv.reader(file)
            rows = [([cell.strip() for cell in row], reader.line_num) for row in reader]
    except UnicodeDecodeError:
        raise DataError(f"{path} is not UTF-8 text", "Save it as 'CSV UTF-8 (comma delimited)'.") from None
    except (csv.Error, OSError) as error:
        raise DataError(
            f"{path} cannot be read as CSV ({error})", "Save it again as comma-separated text."
        ) from None
    rows = [(cells, line) for cells, line in rows if any(cells)]
    if not rows:
        raise DataError(f"{path} is empty", "Write a header such as image,label and one row per image.")
    header = rows.pop(0)[0]
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
    if not rows:
        raise DataError(f"{path} has a header but no rows", "Add one row per image.")
    for cells, line in rows:
        if len(cells) != len(header):
            raise DataError(
                f"{path} line {line} has {len(cells)} cells, its header {len(header)}",
                "Give the row one cell per column; put text that holds a comma in double quotes.",
            )
    # Spreadsheets leave nameless columns at the right; they carry nothing a user could refer to.
    columns = {name: [cells[i] for cells, _ in rows] for i, name in enumerate(header) if name}
    return Table(path=path, columns=columns, lines=[line for _, line in rows])
