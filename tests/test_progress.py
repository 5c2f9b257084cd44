from __future__ import annotations

import logging

import pytest

from cass import progress
from cass.progress import ImageProgress, image_counter, open_bar


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")


def test_without_a_terminal_there_is_no_bar_and_no_line_before_it_is_due(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert open_bar("Embed", total=4) is None
    with ImageProgress("Embed", total=4) as bar:
        bar.advance(4)
    assert capsys.readouterr().err == ""


def test_a_line_says_what_is_done_how_fast_and_how_long(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.0)
    with ImageProgress("Embed", total=4, done=1, unit="tiles") as bar:
        bar.advance(3)
    line = capsys.readouterr().err
    assert line.startswith("Embed: 4/4 tiles")
    assert line.endswith("tiles/s  0 s left\n")


@pytest.mark.usefixtures("terminal")
def test_on_a_terminal_both_passes_show_the_same_bar(capsys: pytest.CaptureFixture[str]) -> None:
    with ImageProgress("Embed", total=4) as bar:
        bar.advance(4)
    first = capsys.readouterr().err
    with image_counter(4, "Decoding") as report:
        report(4)
    second = capsys.readouterr().err
    for text, title, figures in ((first, "Embed", "images/s"), (second, "Decoding", "4/4 images")):
        assert title in text
        assert "100%" in text
        assert "left" in text
        assert figures in text


def test_a_long_pass_is_logged(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "LOG_SECONDS", 0.0)
    with caplog.at_level(logging.INFO, "cass"), image_counter(2000, "Decoding") as report:
        report(0)
        report(1000)
    assert [record.getMessage()[:38] for record in caplog.records] == ["Decoding images: 1,000 of 2,000 done, "]
