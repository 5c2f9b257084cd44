"""Compare candidates for the objective of cass with the default, as candidates.yaml says.

Usage: python benchmarks/candidates --out runs/candidates
"""

from __future__ import annotations

import argparse
from importlib import import_module
from pathlib import Path

import cass


def main() -> None:
    """Register the candidates, and run the benchmark in this process."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("runs/candidates"))
    folder = Path(__file__).parent
    for file in sorted(folder.glob("[a-z]*.py")):
        import_module(file.stem)
    cass.benchmark(folder / "candidates.yaml", out=parser.parse_args().out, jobs=1)


if __name__ == "__main__":
    main()
