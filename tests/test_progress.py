from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from cass import progress
from cass.progress import Bar, ImageProgress, Pace, image_counter, open_bar


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
    assert line.endswith("tiles/s  about 0:00:00 left\n")


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


class Time:
    """A clock that is set by hand."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Time:
    clock = Time()
    monkeypatch.setattr(progress, "time", clock)
    return clock


FIGURES = (
    "epoch 12/100",
    "123 images/s",
    "cnn: spread 0.123 rank 12 kNN 0.87",
    "transformer: spread 0.123 rank 9",
)


@pytest.mark.parametrize("width", [50, 80, 100, 120, 200])
@pytest.mark.parametrize("title", ["Pretraining", "Fine-tuning transformer, 12345 labels"])
def test_percentage_and_time_left_are_there_at_any_width(width: int, title: str, clock: Time) -> None:
    screen = io.StringIO()
    console = Console(file=screen, width=width, force_terminal=True, color_system=None)
    bar = Bar(title, total=1000, console=console)
    clock.now = 8.0
    bar.show(4, *FIGURES)
    bar.close()
    parts = re.split(r"\r|\n|\x1b\[[0-9?]*[A-Za-z]", screen.getvalue())
    line = [part.strip() for part in parts if part.strip()][-1]
    assert len(line) <= width
    assert "0% " in line
    assert "left 0:33:12" in line  # 2 s a step
    short = title == "Pretraining"
    assert (FIGURES[0] in line) == (width >= (80 if short else 100))
    assert (FIGURES[3] in line) == (short and width == 200)
    assert not re.search("kNN 0?$|spread$|cnn:$", line)  # whole figures only


def test_the_time_left_is_estimated_from_the_first_step_on(clock: Time) -> None:
    pace = Pace(100, done=10)
    assert pace.clock() == "-:--:--"
    clock.now = 60.0
    pace.reach(11)  # the first step is slow
    assert pace.clock() == "1:29:00"
    clock.now = 62.0
    pace.reach(12)
    assert pace.clock() == "0:02:56"
    clock.now = 70.0  # no step for 8 s
    assert pace.clock() == "0:02:48"


def test_lines_come_early_and_then_less_often(clock: Time, capsys: pytest.CaptureFixture[str]) -> None:
    at = []
    with image_counter(2000, "Decoding") as report:
        for second in range(1, 1000):
            clock.now = float(second)
            report(second)
            if line := capsys.readouterr().err:
                at.append(second)
                assert (
                    line
                    == f"Decoding: {second}/2,000 images  1 images/s  about {progress.clock(2000 - second)} left\n"
                )
    assert at == [10, 30, 70, 150, 310, 610, 910]
