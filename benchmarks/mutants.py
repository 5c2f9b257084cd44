"""Count the mutants that the tests, or mypy, have killed, by package, after `make mutants` has tried them.

A mutant counts as killed where a test of its package failed or ran out of time, or where mypy refuses its source.
Those that are left are printed with --survivors; `mutmut show NAME` shows what was changed.
Usage: python benchmarks/mutants.py [--folder mutants] [--survivors]
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

PACKAGES = ("data/splits", "evaluation", "methods")
ALIVE = (0, 5, 33)
"""Exit codes of mutants whose tests pass, or that no test reaches."""
MUTANT = re.compile(r"( *)def (\w+__mutmut_\d+)\(")


def refused(folder: Path) -> set[str]:
    """Return the mutants that mypy refuses, as module and function."""
    sources = [f"src/cass/{package}" for package in PACKAGES]
    line = [sys.executable, "-m", "mypy", *sources, "--output", "json"]
    printed = subprocess.run(line, cwd=folder, capture_output=True, text=True, check=False).stdout
    found: set[str] = set()
    texts: dict[str, list[str]] = {}
    for report in map(json.loads, filter(None, printed.splitlines())):
        name = report["file"]
        lines = texts.setdefault(name, (folder / name).read_text(encoding="utf-8").splitlines())
        # The function around the error that is a mutant; generated code between mutants has errors of its own.
        for above in reversed(lines[: report["line"]]):
            if match := MUTANT.match(above):
                module = name.removeprefix("src/").removesuffix(".py").replace("/", ".")
                found.add(f"{module}.{match.group(2)}")
            if match or (above and not above[0].isspace() and not above.startswith(")")):
                break
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path("mutants"))
    parser.add_argument("--survivors", action="store_true", help="print the mutants that are left")
    given = parser.parse_args()
    typed = refused(given.folder)
    counts, left = Counter[tuple[str, str]](), []
    for path in sorted(given.folder.rglob("*.meta")):
        package = next((name for name in PACKAGES if f"/cass/{name}/" in str(path)), "")
        for name, code in json.loads(path.read_text(encoding="utf-8"))["exit_code_by_key"].items():
            if code is None or not package:
                continue
            how = "tests" if code not in ALIVE else "mypy" if name in typed else "left"
            counts[package, how] += 1
            if how == "left":
                left.append(name)
    print("| package | mutants | killed by tests | by mypy alone | killed |\n| --- | --- | --- | --- | --- |")
    for package in (*PACKAGES, "all"):
        tests, mypy, rest = (
            sum(count for (name, how), count in counts.items() if how == kind and package in (name, "all"))
            for kind in ("tests", "mypy", "left")
        )
        total = tests + mypy + rest
        print(f"| {package} | {total:,} | {tests:,} | {mypy:,} | {100 * (tests + mypy) / max(total, 1):.1f}% |")
    if given.survivors:
        print("\n".join(left))


if __name__ == "__main__":
    main()
