"""Rules of the code that no linter checks: sizes, names, words, and lists that must agree."""

from __future__ import annotations

import ast
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "cass"
FILES = sorted(SOURCE.rglob("*.py"))
PROSE = [*FILES, *sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
MOST_LINES, MOST_FUNCTION_LINES = 350, 60

SAME_NAME_SAME_MEANING = {"show"}
"""Found by name: what a verb prints."""

SAME_CONSTANT_SAME_MEANING = {"_INSTALL", "CLASSES", "COUNTS", "SettingsT"}
"""Of a format: how to install its reader. Of a data set: its classes, and their images. A type variable."""

SAME_FILE_SAME_MEANING = {"__init__", "base", "run", "plots", "tables"}
"""Of a package: its door, its base classes, its entry point, its figures, its tables."""

BANNED = re.compile(
    r"\bmend(s|ed|ing)?\b|by heart|from random numbers|could not be had|clothes|left out:|\bgoes with the\b"
    r"|\bimages a step\b|\bthat are no numbers\b|\bthe method's own\b|\bat a glance\b|\ba glance\b",
    re.IGNORECASE,
)


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_files_and_functions_are_short(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MOST_LINES
    long = [
        f"{function.name}: {function.end_lineno - function.lineno + 1} lines"
        for function in functions(ast.parse(text))
        if function.end_lineno is not None and function.end_lineno - function.lineno >= MOST_FUNCTION_LINES
    ]
    assert not long


def test_a_name_means_one_thing() -> None:
    homes: dict[str, list[str]] = defaultdict(list)
    for path in FILES:
        for node in tree_of(path).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                homes[node.name].append(name_of(path))
    twice = {name: places for name, places in homes.items() if len(places) > 1}
    assert set(twice) <= SAME_NAME_SAME_MEANING, twice


def test_a_constant_means_one_thing() -> None:
    values: dict[str, set[str]] = defaultdict(set)
    for path in FILES:
        for node in tree_of(path).body:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                values[node.targets[0].id].add(ast.unparse(node.value))
    twice = {name: found for name, found in values.items() if len(found) > 1}
    assert set(twice) <= SAME_CONSTANT_SAME_MEANING, twice


def test_a_file_name_means_one_thing() -> None:
    homes: dict[str, list[Path]] = defaultdict(list)
    for path in FILES:
        homes[path.stem].append(path.relative_to(SOURCE))
    for stem, places in homes.items():
        rooms = {place.parent.as_posix() for place in places}
        verb = rooms <= {"config", "resolve", "workflows"}  # the settings of a verb, what they mean, and the verb
        assert len(places) == 1 or verb or stem in SAME_FILE_SAME_MEANING, places


def test_nothing_inside_imports_the_package_root() -> None:
    for path in FILES:
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.ImportFrom):
                assert node.module != "cass", name_of(path)
            elif isinstance(node, ast.Import):
                assert all(alias.name != "cass" for alias in node.names), name_of(path)


@pytest.mark.parametrize("path", PROSE, ids=name_of)
def test_words_are_those_of_the_field(path: Path) -> None:
    found = [
        f"line {number}: {line.strip()}"
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if BANNED.search(line)
    ]
    assert not found


def test_contributing_lists_the_layers_that_are_checked() -> None:
    checked = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    layers = [layer.replace("cass.", "") for layer in checked["contracts"][0]["layers"]]
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    listed = text.partition("## Layers")[2].partition("```\n")[2].partition("```")[0]
    assert listed.splitlines() == layers
