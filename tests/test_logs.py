from __future__ import annotations

import io
import logging

import pytest

from cass.logs import LOGGER, is_quiet, is_verbose, set_up_logging, without_repeats
from cass.progress import ImageProgress


def test_messages_go_to_the_stream_by_level() -> None:
    stream = io.StringIO()
    set_up_logging(stream)
    LOGGER.info("one")
    LOGGER.debug("hidden")
    assert stream.getvalue() == "one\n"
    set_up_logging(stream, level=logging.WARNING)
    LOGGER.info("hidden")
    LOGGER.warning("two")
    assert stream.getvalue() == "one\ntwo\n"
    assert is_quiet()
    set_up_logging(stream, level=logging.DEBUG)
    LOGGER.debug("three")
    assert stream.getvalue().endswith("DEBUG three\n")
    assert is_verbose()


def test_quiet_hides_progress(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("cass.progress.LINE_SECONDS", 0.0)
    for level, lines in ((logging.INFO, 1), (logging.WARNING, 0)):
        set_up_logging(level=level)
        with ImageProgress("Reading", total=2) as progress:
            progress.advance(1)
        assert capsys.readouterr().err.count("Reading: 1/2") == lines


def test_several_steps_say_a_thing_once() -> None:
    stream = io.StringIO()
    set_up_logging(stream)
    with without_repeats():
        for count in (3, 3, 4):
            LOGGER.warning("%d images", count)
    LOGGER.warning("3 images")
    assert stream.getvalue().splitlines() == ["3 images", "4 images", "3 images"]
