"""Measure how long each wrong setting of tests/wrong_settings.py takes to be answered, from start to exit.

Prints a line for each: seconds, exit code, and the answer; then the median and the slowest.
Usage: python benchmarks/wrong_settings.py [--repeats 1]
"""

from __future__ import annotations

import argparse
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from wrong_settings import WRONG, prepare_folder


def answer(line: str, folder: Path) -> tuple[float, int, str]:
    """Run a command line; return its seconds, its exit code and the last line that it wrote."""
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "cass", *shlex.split(line)],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.monotonic() - started
    return seconds, done.returncode, (done.stderr.strip().splitlines() or [""])[-1]


def main() -> None:
    """Run every line, and print the times."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=1, help="the fastest run of each line counts")
    given = parser.parse_args()
    times = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare_folder(folder)
        answer(WRONG[0].line, folder)  # brings the libraries into the disk cache
        for entry in WRONG:
            seconds, code, said = min(answer(entry.line, folder) for _ in range(given.repeats))
            times.append((seconds, entry.line))
            print(f"{seconds:5.2f} s  exit {code}  cass {entry.line}\n         {said}", flush=True)
    slowest, line = max(times)
    middle = statistics.median(seconds for seconds, _ in times)
    print(f"{len(times)} entries: median {middle:.2f} s, slowest {slowest:.2f} s (cass {line})")


if __name__ == "__main__":
    main()
