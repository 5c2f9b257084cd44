"""Audit many generated images: time and peak memory.

Draws different images of 256 px, saves them as JPEG, and runs `cass audit` on them in a separate process.
Linux only (it reads the peak memory from the operating system).
Usage: python benchmarks/audit.py [--images 25000] [--folder DIR]
"""

from __future__ import annotations

import argparse
import csv
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

SIDE = 256
CLASSES = ("a", "b", "c", "d")


def draw(folder: Path, count: int, *, side: int = SIDE) -> Path:
    """Draw images of smooth noise, ten per patient, and list them in a CSV."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    with (folder / "labels.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "label", "group"])
        for number in range(count):
            name = f"images/{number:06d}.jpg"
            coarse = Image.fromarray(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8))
            coarse.resize((side, side), Image.Resampling.BICUBIC).save(folder / name, quality=90)
            writer.writerow([name, CLASSES[int(rng.integers(4))], f"patient {number // 10}"])
    return folder / "labels.csv"


def main() -> None:
    """Draw, audit, and print time and peak memory."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=25_000)
    parser.add_argument("--folder", type=Path, default=None)
    given = parser.parse_args()
    folder = given.folder or Path(tempfile.mkdtemp(prefix="cass-audit-"))
    labels = draw(folder, given.images)
    print(f"Drew {given.images:,} images of {SIDE} px in {folder}.", flush=True)
    started = time.monotonic()
    line = [sys.executable, "-c", "from cass.cli import main; main()", "audit", str(labels)]
    code = subprocess.run(line, check=False).returncode
    seconds = time.monotonic() - started
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"Exit code {code}; {seconds:.0f} s; peak memory {peak:.0f} MiB.")


if __name__ == "__main__":
    main()
