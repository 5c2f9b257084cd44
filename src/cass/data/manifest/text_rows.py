"""The rows of a text table: comma, semicolon or tab."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from cass.errors import DataError

_SEPARATORS = (",", ";", "\t")


def text_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Read the rows of a text table as they come.

    The csv module is used rather than pandas because it knows line numbers, and never turns a class
    named "NA" or a patient numbered "007" into something else.

    Args:
        path: UTF-8 text, with or without a byte-order mark. Its separator is the one that divides the header.

    Yields:
        The line (from 1) on which a row ends, and its cells.

    Raises:
        DataError: The file is not UTF-8 text, or cannot be read.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            separator = _separator_of(file)
            file.seek(0)
            reader = csv.reader(file, delimiter=separator)
            for cells in reader:
                yield reader.line_num, cells
    except UnicodeDecodeError:
        raise DataError(f"{path} is not UTF-8 text", "Save it as 'CSV UTF-8 (comma delimited)'.") from None
    except (csv.Error, OSError) as error:
        raise DataError(
            f"{path} cannot be read as CSV ({error})", "Save it again as comma-separated text."
        ) from None


def _separator_of(lines: Iterator[str]) -> str:
    """Return what divides the first line that is not blank into the most cells; a comma where nothing does."""
    header = next((line for line in lines if line.strip()), "")
    return max(_SEPARATORS, key=lambda separator: len(next(csv.reader([header], delimiter=separator), [])))
