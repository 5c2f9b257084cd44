from __future__ import annotations

import re
from pathlib import Path

import cass
from conftest import write_scans


def page_of(folder: Path) -> str:
    scans = write_scans(folder)
    rows = scans.read_text().splitlines()
    (folder / "images" / "copy.png").write_bytes((folder / "images" / "000.png").read_bytes())
    scans.write_text("\n".join([*rows, "images/copy.png,disc,"]) + "\n")
    cass.audit(scans, html=folder / "audit.html")
    return (folder / "audit.html").read_text(encoding="utf-8")


def test_the_page_fits_a_phone_and_follows_the_colours_of_the_device(tmp_path: Path) -> None:
    page = page_of(tmp_path)
    assert "<meta name='viewport' content='width=device-width" in page
    assert "prefers-color-scheme:dark" in page
    assert re.search(r"<div class='table' tabindex='0' role='region' aria-label='Table: [^']*'><table>", page)
    assert "http" not in page  # nothing is asked of another host


def test_commands_are_code_and_advice_is_prose(tmp_path: Path) -> None:
    page = page_of(tmp_path)
    assert re.search(r"Fix:</strong> <code>cass split [^<]*--out safe.csv</code> \(keeps them together\)", page)
    assert "Fix:</strong> Check them and correct the label column." in page
    assert "alt='copy.png'" in page
    assert re.search(r"<p>\d+ serious, \d+ warnings?, \d+ notes?\.</p>", page)
