"""The built pages are read from disk, on machines without internet."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_pages_search_from_disk_and_ask_no_other_host() -> None:
    settings = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert "  - offline\n" in settings
    assert "polyfills: [javascripts/iframe-worker.js]" in settings
    assert "window.Worker" in (ROOT / "docs" / "javascripts" / "iframe-worker.js").read_text(encoding="utf-8")
    assert "font: false" in settings
    assert "http" not in settings


def test_the_home_page_installs_and_starts() -> None:
    home = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    for part in ("![", "## Install", "pip install", "## Quick start", "cass compare labels.csv"):
        assert part in home


def test_no_page_names_an_unpublished_package() -> None:
    for page in [
        ROOT / "README.md",
        *sorted((ROOT / "docs").rglob("*.md")),
        *sorted((ROOT / "src").rglob("*.py")),
    ]:
        assert "pip install cass" not in page.read_text(encoding="utf-8"), page
        assert "cass-ssl[" not in page.read_text(encoding="utf-8"), page
