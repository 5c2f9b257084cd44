"""Many short runs in one process, and one long run: memory, open files and threads must not grow.

First, pretraining, fine-tuning and prediction on 24 tiny images are repeated in this process. Then one pretraining
takes many steps: 20,000 take over eight hours on two cores with a ResNet-50 and a ViT-B/16. What the process holds
in the last fifth of each part is compared with the second fifth; the exit code is 1 where memory has grown by more
than 5%, or files or threads by more than two. Linux only (it reads /proc).
Usage: python benchmarks/soak.py [--runs 1000] [--steps 20000]
"""

from __future__ import annotations

import argparse
import contextlib
import io
import logging
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import cass

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

MEBIBYTE = 2**20
MEMORY_GROWTH = 1.05
MORE = 2
FIFTHS = 5


def held() -> tuple[float, float, float]:
    """Return what this process holds: memory in MiB, open files, threads."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    files = len(os.listdir("/proc/self/fd"))
    return pages * os.sysconf("SC_PAGE_SIZE") / MEBIBYTE, files, threading.active_count()


def report(name: str, samples: list[tuple[float, float, float]]) -> bool:
    """Print the samples in fifths; returns whether nothing has grown."""
    fifths = [np.mean(part, axis=0) for part in np.array_split(np.array(samples), FIFTHS)]
    print(f"\n{name}: {len(samples)} samples\n")
    print("| fifth | memory (MiB) | open files | threads |\n| --- | --- | --- | --- |")
    for number, (memory, files, threads) in enumerate(fifths, start=1):
        print(f"| {number} | {memory:.0f} | {files:.1f} | {threads:.1f} |", flush=True)
    before, after = fifths[1], fifths[-1]
    return bool(after[0] <= MEMORY_GROWTH * before[0] and (after[1:] <= before[1:] + MORE).all())


@contextlib.contextmanager
def sampled(seconds: float) -> Iterator[list[tuple[float, float, float]]]:
    """Sample what the process holds while the block runs, in a thread of its own."""
    samples: list[tuple[float, float, float]] = []
    stop = threading.Event()

    def sample() -> None:
        while not stop.wait(seconds):
            samples.append(held())

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield samples
    finally:
        stop.set()
        thread.join()


def short_runs(folder: Path, count: int, settings: dict[str, Any], draw: Callable[..., Path]) -> bool:
    """Repeat pretraining, fine-tuning and prediction; each run has its own folder, which is removed."""
    labels = draw(folder / "few", count=24, unlabelled=0)
    samples, began = [], time.monotonic()
    for number in range(count):
        with tempfile.TemporaryDirectory(dir=folder) as place, contextlib.redirect_stdout(io.StringIO()):
            run = Path(place) / "run"
            cass.pretrain(labels, out=run, seed=number, **settings | {"epochs": 1})
            tuned = cass.finetune(run, labels=labels, out=Path(place) / "tuned", head="linear", device="cpu").out
            cass.predict(tuned, labels, out=Path(place) / "table.csv", device="cpu")
        samples.append(held())
        if number and number % max(1, count // 20) == 0:
            print(f"{number} runs, {time.monotonic() - began:.0f} s, {samples[-1][0]:.0f} MiB", flush=True)
    return report(f"{count} short runs", samples)


def long_run(folder: Path, steps: int, settings: dict[str, Any], draw: Callable[..., Path]) -> bool:
    """Pretrain for many steps in epochs of a hundred."""
    images = draw(folder / "many", count=100 * settings["batch_size"]).parent / "images"
    with sampled(1.0) as samples, contextlib.redirect_stdout(io.StringIO()):
        cass.pretrain(images, out=folder / "long", **settings | {"epochs": max(1, steps // 100)})
    return report(f"{steps} steps", samples)


def main() -> None:
    """Run both parts."""
    from conftest import TINY, write_scans

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=1000, help="0 leaves this part out")
    parser.add_argument("--steps", type=int, default=20_000, help="0 leaves this part out")
    given = parser.parse_args()
    logging.getLogger("cass").setLevel(logging.ERROR)
    settings = {**TINY, "num_workers": 0}
    with tempfile.TemporaryDirectory() as folder:
        os.environ["CASS_CACHE_DIR"] = str(Path(folder) / "cache")
        parts = ((short_runs, given.runs), (long_run, given.steps))
        flat = [part(Path(folder), count, settings, write_scans) for part, count in parts if count]
    sys.exit(0 if all(flat) else 1)


if __name__ == "__main__":
    main()
