"""A wrong setting is answered before any work, in one line that names the option and the fix."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from cass.cli import main
from wrong_settings import WRONG, Wrong, prepare_folder


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wrong")
    prepare_folder(folder)
    return folder


def contents(folder: Path) -> set[tuple[Path, int, int]]:
    return {(path, path.stat().st_size, path.stat().st_mtime_ns) for path in folder.rglob("*")}


@pytest.mark.parametrize("entry", WRONG, ids=lambda entry: entry.line)
def test_a_wrong_setting_is_answered_in_one_line(
    entry: Wrong, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(place)
    monkeypatch.setattr("sys.argv", ["cass", *shlex.split(entry.line)])
    before = contents(place)
    with pytest.raises(SystemExit) as left:
        main()
    printed = capsys.readouterr()
    assert left.value.code == 2, printed
    errors = [line for line in printed.err.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1
    assert printed.err.splitlines()[-1] == errors[0]
    for words in entry.says:
        assert words in errors[0]
    assert printed.out == ""
    assert contents(place) == before
