"""Compare candidates for the objective of cass with the default, as candidates.yaml says.

With --draws, every network is then probed with more draws of labels (draws.py).
Usage: python benchmarks/candidates --out runs/candidates [--draws 10]
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from pathlib import Path

import cass


def main() -> None:
    """Register the candidates, and run the benchmark in this process."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("runs/candidates"))
    parser.add_argument("--draws", type=int, default=0, help="draws of each label fraction; 0: none")
    given = parser.parse_args()
    folder = Path(__file__).parent
    for file in sorted(folder.glob("[a-z]*.py")):
        import_module(file.stem)
    spec = folder / "candidates.yaml"
    cass.benchmark(spec, out=given.out, jobs=1)
    if given.draws:
        sys.path.insert(0, str(folder.parent))
        import_module("draws").compare(spec, given.out, draws=given.draws)


if __name__ == "__main__":
    main()
