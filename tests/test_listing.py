from __future__ import annotations

import logging

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cass.listing import cell_text, plain_cell, plain_path, some_of, warn_unreadable


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


@given(st.text(alphabet="'=+-@\t\ra1. "))
@example("'=a")
def test_no_cell_is_a_formula_and_every_cell_comes_back(text: str) -> None:
    cell = plain_cell(text)
    assert cell_text(cell) == text
    if len(cell) > 1 and cell[0] in "=+-@\t\r":
        float(cell)  # a number, which a spreadsheet may compute


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("+cmd", "'+cmd"),
        ("-1.5", "-1.5"),
        ("-", "-"),
        ("a=b", "a=b"),
        ("", ""),
    ],
)
def test_what_a_spreadsheet_would_compute_gets_an_apostrophe(text: str, cell: str) -> None:
    assert plain_cell(text) == cell
    assert cell_text(cell) == text


def test_a_path_stays_a_path() -> None:
    assert plain_path("=a.png") == "./=a.png"
    assert plain_path("b/=a.png") == "b/=a.png"
