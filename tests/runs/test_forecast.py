"""cass pretrain --dry-run and cass compare --dry-run, through the command line."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from cass.cli import main
from conftest import TINY


def run(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    monkeypatch.setattr("sys.argv", ["cass", *map(str, words)])
    with pytest.raises(SystemExit) as left:
        main()
    return int(left.value.code or 0)


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    path = tmp_path / "settings.yaml"
    path.write_text(json.dumps(TINY | {"epochs": 3, "cache": "off"}))
    return path


def test_a_dry_run_says_what_it_would_take_and_writes_nothing(
    scans: Path, settings: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = settings.parent / "run"
    assert run(monkeypatch, "pretrain", scans, "--config", settings, "--out", out, "--dry-run") == 0
    said = capsys.readouterr().out
    train = int(re.search(r"Images: train (\d+) ", said)[1])  # type: ignore[index]
    assert f"3 epochs, {3 * -(-train // 8)} steps of 8 images" in said
    assert re.search(r"Networks: cnn \d+\.\d M parameters, transformer", said)
    assert re.search(r"Memory: about \d+\.\d GiB", said)
    assert "Disk: cache" in said
    assert [entry.name for entry in settings.parent.iterdir()] == ["settings.yaml"]


def test_a_comparison_counts_its_fine_tunings(
    scans: Path, settings: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ("compare", scans, "--config", settings, "--out", settings.parent / "run", "--dry-run")
    assert run(monkeypatch, *line, "--label-fractions", "0.5,1") == 0
    assert re.search(r"Fine-tuning: 2 label fractions of \d+ labels, from up to 3 starts", capsys.readouterr().out)
    assert run(monkeypatch, *line, "--views", "xray") == 2
    assert [entry.name for entry in settings.parent.iterdir()] == ["settings.yaml"]
