from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

from cass.benchmarking.sets import DataSet, read_set
from cass.benchmarking.spec import DataEntry
from cass.errors import DataError


def write(folder: Path) -> Path:
    """Write a table of six images, two a patient but for the last two."""
    folder.mkdir(parents=True)
    rows = []
    for number in range(6):
        (folder / f"{number}.png").write_bytes(bytes(number + 1))
        rows.append(
            {"image": f"{number}.png", "label": "ab"[number % 2], "group": ["p", "p", "q", "q", "", ""][number]}
        )
    pd.DataFrame(rows).to_csv(folder / "labels.csv", index=False)
    return folder / "labels.csv"


def read(folder: Path, out: Path, **entry: object) -> DataSet:
    return read_set("set", DataEntry.model_validate({"source": "labels.csv", **entry}), folder=folder, out=out)


@pytest.mark.parametrize("redraw", [False, True])
def test_units_are_groups_or_single_images(tmp_path: Path, redraw: bool) -> None:
    write(tmp_path / "set")
    found = read(tmp_path / "set", tmp_path / "out", redraw_splits=redraw)
    names = [str(tmp_path / "set" / f"{number}.png") if redraw else f"{number}.png" for number in range(6)]
    assert [found.unit(name) for name in names] == ["group p", "group p", "group q", "group q", "4.png", "5.png"]


def test_images_are_known_after_the_set_has_moved_or_by_a_link(tmp_path: Path) -> None:
    write(tmp_path / "here" / "set")
    (tmp_path / "link").symlink_to(tmp_path / "here")
    shutil.copytree(tmp_path / "here", tmp_path / "there")
    found = read(tmp_path / "there" / "set", tmp_path / "out", redraw_splits=True)
    for place in ("here", "link", "there"):
        units = [found.unit(str(tmp_path / place / "set" / f"{number}.png")) for number in (0, 3, 5)]
        assert units == ["group p", "group q", "5.png"]


def test_images_outside_the_folder_of_the_table(tmp_path: Path) -> None:
    table = write(tmp_path / "set")
    (tmp_path / "lists").mkdir()
    text = table.read_text().replace("\n", "\n../set/").removesuffix("../set/")
    (tmp_path / "lists" / "labels.csv").write_text(text)
    found = read(tmp_path / "lists", tmp_path / "out")
    assert found.unit("../set/1.png") == found.unit(str(tmp_path / "set" / "0.png")) == "group p"


def test_other_images_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "set")
    found = read(tmp_path / "set", tmp_path / "out")
    with pytest.raises(DataError, match=r"'9.png' has been classified, but is not an image of the data set 'set'"):
        found.unit("9.png")
