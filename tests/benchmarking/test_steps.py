"""Which cells a process takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from filelock import FileLock

from cass.benchmarking.steps import free_first


class Folder:
    """As much of a cell as counts here."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder


def test_cells_of_other_processes_come_last(tmp_path: Path) -> None:
    cells: list[Any] = [Folder(tmp_path / name) for name in "abcd"]
    for cell in cells[:3]:
        cell.folder.mkdir()
    with FileLock(cells[0].folder / ".lock"), FileLock(cells[2].folder / ".lock"):
        order = [cell.folder.name for cell in free_first(cells)]
    assert order == ["b", "d", "a", "c"]


def test_a_cell_that_has_been_left_meanwhile_is_taken(tmp_path: Path) -> None:
    cells: list[Any] = [Folder(tmp_path / name) for name in "ab"]
    cells[0].folder.mkdir()
    with FileLock(cells[0].folder / ".lock"):
        order = free_first([*cells, Folder(tmp_path / "c")])
        assert next(order) is cells[1]
    assert next(order) is cells[0]
