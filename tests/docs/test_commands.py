"""Every command line in the documentation is one that cass accepts."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from cass.cli import main

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def commands(page: Path) -> Iterator[str]:
    """Yield the command lines of the shell blocks of a page, without comments."""
    for block in re.findall(r"```bash\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):
                words.pop(0)
            if words and words[0] == "cass":
                yield shlex.join(word for word in words[1:] if word != "$NETS")  # options that a page has set


LINES = sorted({line for page in PAGES for line in commands(page)})


@pytest.mark.parametrize("line", LINES)
def test_a_documented_command_is_accepted(
    line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in re.findall(r"\S+\.ya?ml", line):  # what a specification says is checked elsewhere
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("{}\n")
    accepted = []
    monkeypatch.setattr("cass.cli.app.execute", lambda entry, config: accepted.append(entry))
    monkeypatch.setattr("cass.cli.app.shown", lambda *_: [])
    monkeypatch.setattr("cass.cli.app.forecast", lambda entry, config: accepted.append(entry) or [])
    monkeypatch.setattr("sys.argv", ["cass", *shlex.split(line)])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code in (0, None), capsys.readouterr().err
    assert accepted or "--version" in line or "--help" in line or "completion" in line


def test_there_are_commands() -> None:
    assert len(LINES) > 50
