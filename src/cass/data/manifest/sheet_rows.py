"""The rows of a spreadsheet."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

from cass.errors import DataError

logger = logging.getLogger(__name__)


def sheet_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Read the rows of the first sheet of an Excel workbook as they come.

    Args:
        path: An ``.xlsx`` file. Of a formula the value counts that Excel computed last.

    Yields:
        The number of a row (from 1) and its cells as text; a whole number has no decimal point.

    Raises:
        DataError: The file is no workbook, or cannot be read.
    """
    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        workbook = load_workbook(path, read_only=True, data_only=True)
    except (BadZipFile, InvalidFileException, KeyError, ValueError, OSError) as error:
        raise DataError(
            f"{path} cannot be read as an Excel workbook ({type(error).__name__})",
            "Save it again as .xlsx, or as 'CSV UTF-8 (comma delimited)'.",
        ) from None
    with closing(workbook):
        first, *others = workbook.worksheets
        if others:
            logger.info("%s has %d sheets; the first, %r, is read.", path, 1 + len(others), first.title)
        width = 0
        for number, cells in enumerate(first.iter_rows(values_only=True), start=1):
            texts = [_text(cell) for cell in cells]
            # Rows end at their last filled cell; the header, which comes first, says how many there are.
            while texts and not texts[-1].strip() and len(texts) > width:
                texts.pop()
            width = width or len(texts)
            yield number, texts + [""] * (width - len(texts))


def _text(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell)
