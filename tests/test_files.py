from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cass.files import (
    remove_partials,
    whole_file,
    whole_folder,
    write_bytes,
    write_json,
    write_named,
    write_text,
)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_text_json_and_bytes_replace_what_was_there(tmp_path: Path) -> None:
    for _ in range(2):
        write_text(tmp_path / "a.txt", "ä\n")
        write_json(tmp_path / "a.json", {"value": float("nan"), 1: [float("inf"), 0.5]})
        write_bytes(tmp_path / "a.bin", b"\0\1")
    assert (tmp_path / "a.txt").read_text(encoding="utf-8") == "ä\n"
    assert (tmp_path / "a.json").read_text() == '{\n  "value": null,\n  "1": [\n    null,\n    0.5\n  ]\n}\n'
    assert (tmp_path / "a.bin").read_bytes() == b"\0\1"
    assert names(tmp_path) == ["a.bin", "a.json", "a.txt"]


def test_a_failing_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")

    def interrupted() -> None:
        with whole_file(path) as partial:
            partial.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_a_file_that_was_never_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), whole_file(tmp_path / "a.txt"):
        pass
    assert names(tmp_path) == []


def test_two_writers_of_one_file_do_not_collide(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with whole_file(path) as first, whole_file(path) as second:
        assert first != second
        first.write_text("first")
        second.write_text("second")
    assert path.read_text() == "first"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: write_text(path, str(number) * 10_000), range(8)))
    assert len(set(path.read_text())) == 1
    assert names(tmp_path) == ["a.txt"]


def test_a_killed_writer_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    program = (
        "import sys, time; from pathlib import Path; from cass.files import whole_file\n"
        "with whole_file(Path(sys.argv[1])) as partial:\n"
        "    partial.write_text('half'); print('written', flush=True); time.sleep(60)\n"
    )
    writer = subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    assert writer.stdout.readline() == "written\n"
    writer.send_signal(signal.SIGKILL)
    writer.communicate()
    assert path.read_text() == "old"
    assert len(names(tmp_path)) == 2
    remove_partials(tmp_path)
    assert names(tmp_path) == ["a.txt"]


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_a_private_file_is_for_its_user_alone(tmp_path: Path) -> None:
    write_text(tmp_path / "secret", "1", private=True)
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600


def test_the_first_of_several_writers_wins_where_a_file_is_kept(tmp_path: Path) -> None:
    write_text(tmp_path / "salt", "first", keep=True)
    write_text(tmp_path / "salt", "second", keep=True)
    assert (tmp_path / "salt").read_text() == "first"
    assert names(tmp_path) == ["salt"]


def test_a_folder_appears_whole(tmp_path: Path) -> None:
    out = tmp_path / "runs" / "one"
    with whole_folder(out) as partial:
        (partial / "a.txt").write_text("1")
        assert not out.exists()
    assert names(out) == ["a.txt"]
    assert names(tmp_path / "runs") == ["one"]


def test_a_failing_folder_leaves_the_old_one(tmp_path: Path) -> None:
    out = tmp_path / "one"
    out.mkdir()
    (out / "old").touch()

    def failing() -> None:
        with whole_folder(out, existing="replace") as partial:
            (partial / "new").touch()
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        failing()
    assert names(out) == ["old"]
    assert names(tmp_path) == ["one"]


@pytest.mark.parametrize(("existing", "left"), [("replace", ["new"]), ("keep", ["old"])])
def test_a_folder_that_is_there_is_replaced_or_kept(tmp_path: Path, existing: str, left: list[str]) -> None:
    out = tmp_path / "one"
    out.mkdir()
    (out / "old").touch()
    with whole_folder(out, existing=existing) as partial:  # type: ignore[arg-type]
        (partial / "new").touch()
    assert names(out) == left
    assert names(tmp_path) == ["one"]


def test_a_folder_with_files_is_not_overwritten_unasked(tmp_path: Path) -> None:
    out = tmp_path / "one"
    out.mkdir()
    with whole_folder(out) as partial:  # an empty folder holds nothing to lose
        (partial / "new").touch()
    with pytest.raises(OSError, match="not empty"), whole_folder(out) as partial:
        (partial / "newer").touch()
    assert names(out) == ["new"]


def test_a_folder_that_its_writer_removes_is_called_off(tmp_path: Path) -> None:
    with whole_folder(tmp_path / "one") as partial:
        partial.rmdir()
    assert names(tmp_path) == []


def test_only_the_leftovers_of_the_named_file_are_removed(tmp_path: Path) -> None:
    for name in (".a[1].partial-0", ".a[1].partial", ".b.partial-0", "a[1]"):
        (tmp_path / name).touch()
    remove_partials(tmp_path, name="a[1]")
    assert names(tmp_path) == [".b.partial-0", "a[1]"]


def test_a_file_that_the_user_named_takes_the_place_of_its_leftovers(tmp_path: Path) -> None:
    for name in (".a.csv.partial-0", ".b.csv.partial-0", "a.csv"):
        (tmp_path / name).touch()
    write_named(tmp_path / "a.csv", "new")
    assert names(tmp_path) == [".b.csv.partial-0", "a.csv"]
    assert (tmp_path / "a.csv").read_text() == "new"


def test_leftovers_are_found_in_the_folders_inside_too(tmp_path: Path) -> None:
    for name in ("plots/.a.png.partial-0", ".b.partial-0/.c.partial-1", "plots/a.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    remove_partials(tmp_path)
    assert [str(path.relative_to(tmp_path)) for path in sorted(tmp_path.rglob("*"))] == ["plots", "plots/a.png"]


@pytest.mark.parametrize(("private", "mode"), [(False, 0o644), (True, 0o600)])
def test_who_may_read_a_file_does_not_depend_on_the_library_that_writes_it(
    tmp_path: Path, private: bool, mode: int
) -> None:
    before = os.umask(0o022)
    try:
        with whole_file(tmp_path / "a", private=private) as partial:
            partial.unlink(missing_ok=True)
            partial.write_bytes(b"1")
            partial.chmod(0o640)
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == mode
