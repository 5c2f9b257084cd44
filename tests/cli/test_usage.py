"""Mistakes on the command line: one line each, with the fix, and exit code 2."""

from __future__ import annotations

from pathlib import Path

import pytest

from cass.cli import main
from cass.errors import CassError


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("pretrain scans --epoch 3", "No such option: --epoch. Did you mean '--epochs'?"),
        ("pretrain scans --nothing-like-it", "Run cass pretrain --help"),
        (
            "finetune run --labels a --out b --label-fraction many",
            "--label-fraction many is not accepted. It should be a number",
        ),
        ("pretrain scans --out", "--out"),
        ("pretrain scans more", "more"),
        ("prepare dicon scans", "Did you mean 'dicom'"),
        ("pretran scans", "Did you mean 'pretrain'"),
        ("pretrain", "cass pretrain needs IMAGES. Example: cass pretrain scans/"),
        ("finetune run --out a", "cass finetune needs --labels"),
        ("split scans --out a.csv --data scans", "both given. Give one."),
        ("split scans --out a.csv -q -v", "--quiet and --verbose are both given"),
        ("compare scans --out a --finetune views", "--finetune 'views' is not a YAML mapping"),
    ],
)
def test_a_mistake_is_one_line_with_its_fix(
    line: str, says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["cass", *line.split()])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("Error: ")
    assert error.count("\n") == 1
    assert says in error


def test_quiet_hides_messages_but_not_errors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def split(*options: str) -> tuple[object, str]:
        monkeypatch.setattr("sys.argv", ["cass", "split", "generated", "--out", str(tmp_path / "a.csv"), *options])
        with pytest.raises(SystemExit) as left:
            main()
        return left.value.code, capsys.readouterr().err

    assert split("--quiet") == (0, "")
    code, error = split("--quiet")
    assert code == 2
    assert "already exists" in error


def test_verbose_shows_where_an_error_arose(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["cass", "audit", "no-such-folder", "--verbose"])
    with pytest.raises(CassError, match="no-such-folder"):
        main()


def test_stopping_names_what_continues(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(entry: object, config: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("cass.cli.app.execute", stop)
    monkeypatch.setattr("sys.argv", ["cass", "split", "scans", "--out", "a.csv"])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 130
    error = capsys.readouterr().err
    assert "--resume for cass pretrain, cass finetune, cass embed, cass predict and cass compare" in error
    assert "cass prepare slides and cass benchmark" in error
