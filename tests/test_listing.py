from __future__ import annotations

import logging

import pytest

from cass.listing import some_of, warn_unreadable


def test_up_to_twenty_are_named() -> None:
    names = [f"{number}.png" for number in range(23)]
    assert some_of(names[:2]) == "0.png, 1.png"
    assert some_of(dict.fromkeys(names)).endswith("19.png and 3 more")


def test_the_cap_holds_over_several_calls(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, logger="cass")
    for start in range(0, 30, 10):
        warn_unreadable({f"{number}.png": "empty" for number in range(start, start + 10)}, before=start)
    lines = [record.getMessage() for record in caplog.records]
    assert lines[0] == "Unreadable: 0.png (empty)."
    assert len(lines) == 21
    assert lines[-1] == "Further unreadable images are only counted."
