"""The stub and the reference are as generated, and the pages link to what exists."""

from __future__ import annotations

import re
import runpy
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("docs/**/*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"])


@pytest.fixture(scope="module")
def generate() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "docs" / "generate.py"))


def test_what_is_generated_is_up_to_date(generate: dict[str, Any]) -> None:
    stale = [
        path.relative_to(ROOT)
        for path, text in generate["generated_files"]().items()
        if path.read_text(encoding="utf-8") != text
    ]
    assert not stale, f"run make reference: {stale}"


def test_only_the_marked_text_of_a_page_is_replaced(generate: dict[str, Any]) -> None:
    replace: Callable[..., str] = generate["_replace"]
    page = "before\n<!-- generated: x -->\nold\n<!-- end of x -->\nafter\n"
    made = replace(page, "x", "new", path=Path("page.md"))
    assert made == "before\n<!-- generated: x -->\n\nnew\n\n<!-- end of x -->\nafter\n"
    with pytest.raises(SystemExit, match=r"page\.md needs the lines"):
        replace("no marks", "x", "new", path=Path("page.md"))


def anchors(page: Path) -> set[str]:
    text = page.read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}
    return slugs | set(re.findall(r"^::: (\S+)$", text, re.MULTILINE)) | set(re.findall(r'id="([^"]+)"', text))


def without_code(page: Path) -> str:
    return re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_and_headings_that_exist(page: Path) -> None:
    dead = []
    for link in re.findall(r"\]\(([^)\s]+)\)", without_code(page)):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            dead.append(link)
    assert not dead


def test_objects_of_the_reference_exist() -> None:
    named = [
        name
        for page in PAGES
        for name in re.findall(r"^::: (\S+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert named
    for name in named:
        module, _, entry = name.rpartition(".")
        try:
            import_module(name)
        except ModuleNotFoundError:
            assert hasattr(import_module(module), entry), name
