"""Time and memory of audit, cache, pretraining and embedding as the set grows.

Draws different images of 64 px in three sizes of set, each twice the one before, and runs the commands on them
with two tiny networks, each command in its own process. Then a quarter of a million, half a million and a million
thumbnails are searched for near-duplicates, as the audit does it, and the targets and heads of cass are computed
for a million embeddings of two networks, 256 dimensions each. Peak memory is the operating system's, with the
mapped pages of the cache, which it can take back. Linux only.
`--images 0` leaves the commands out; `--crops 1` searches with whole thumbnails alone, a nineteenth of the work.
Usage: python benchmarks/scale.py [--images 20000] [--start 1000000] [--crops 19] [--folder DIR]
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from audit import draw

from cass.auditing import appearance
from cass.auditing.appearance import candidate_pairs
from cass.methods.closed_form import closed_form_head, joint_targets

SIDE = 64
WIDTH = 256
TINY = (
    *(
        "--cnn",
        "test_resnet",
        "--transformer",
        "test_vit",
        "--cnn-weights",
        "none",
        "--transformer-weights",
        "none",
    ),
    *("--image-size", "32", "--batch-size", "256", "--device", "cpu", "--num-workers", "0", "--compile", "off"),
)
MEASURE = """
import resource, sys, time
from cass.cli import main
began = time.monotonic()
try:
    main()
finally:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"measured {time.monotonic() - began} {peak}", flush=True)
"""


def measured(*words: str, cache: Path) -> tuple[float, float]:
    """Run a command; returns seconds and peak memory in MiB."""
    environment = os.environ | {"CASS_CACHE_DIR": str(cache)}
    found = subprocess.run(
        [sys.executable, "-c", MEASURE, *words], env=environment, capture_output=True, text=True, check=False
    )
    line = next((line for line in found.stdout.splitlines() if line.startswith("measured ")), None)
    if line is None or found.returncode not in (0, 1):  # the audit of random images ends with 1
        sys.exit(f"cass {' '.join(words)} ended with {found.returncode}:\n{found.stderr[-2000:]}")
    _, seconds, peak = line.split()
    return float(seconds), float(peak)


def commands(folder: Path, count: int) -> dict[str, tuple[float, float]]:
    """Run every command on one set of images."""
    labels = draw(folder, count, side=SIDE)
    run, cache = folder / "run", folder / "cache"
    pretrain = ("pretrain", str(labels), *TINY, "--epochs", "1", "--allow-leakage")
    return {
        "audit": measured("audit", str(labels), cache=cache),
        "pretrain, decoding": measured(*pretrain, "--out", str(run), cache=cache),
        "pretrain, cached": measured(*pretrain, "--out", str(folder / "again"), cache=cache),
        "embed": measured(
            "embed", str(run), str(labels), "--out", str(folder / "table.parquet"), "--device", "cpu", cache=cache
        ),
    }


def growth(sizes: list[int], found: list[dict[str, tuple[float, float]]]) -> None:
    """Print what each size took, and what the last doubling added."""
    print("| command | " + " | ".join(f"{size:,}" for size in sizes) + " | last doubling |")
    print("| --- |" + " --- |" * (len(sizes) + 1))
    for name in found[0]:
        (seconds, memory), (more_seconds, more_memory) = found[-2][name], found[-1][name]
        cells = [f"{taken:.0f} s, {held:.0f} MiB" for taken, held in (each[name] for each in found)]
        added = f"time × {more_seconds / seconds:.1f}, {more_memory - memory:+.0f} MiB"
        print(f"| {name} | " + " | ".join(cells) + f" | {added} |", flush=True)


def start(images: int) -> None:
    """Compute targets and heads for many embeddings."""
    generator = torch.Generator().manual_seed(0)
    parts = [torch.randn(images, WIDTH, generator=generator) for _ in range(2)]
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    began = time.monotonic()
    targets = joint_targets(parts, width=WIDTH, power=0.5)
    for part in parts:
        closed_form_head(part, targets)
    seconds = time.monotonic() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    print(
        f"Targets and heads of {images:,} images: {seconds:.0f} s; peak memory {peak:.1f} GiB, "
        f"of which {held:.1f} GiB are the embeddings and {images * WIDTH * 4 / 1024**3:.1f} GiB the targets."
    )


def search(images: int) -> None:
    """Search many pictures for near-duplicates, a hundredth of them copies with noise."""
    rng = np.random.default_rng(0)
    thumbnails = rng.integers(0, 256, (images, 16, 16), dtype=np.uint8).repeat(2, axis=1).repeat(2, axis=2)
    copies = np.arange(images - images // 100, images)
    originals = rng.choice(images - len(copies), len(copies), replace=False)
    noise = rng.integers(-8, 9, (len(copies), 32, 32))
    thumbnails[copies] = (thumbnails[originals] + noise).clip(0, 255).astype(np.uint8)
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    began, computing = time.monotonic(), time.process_time()
    found = candidate_pairs(thumbnails)
    seconds, computing = time.monotonic() - began, time.process_time() - computing
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    pairs = set(zip(np.minimum(found.original, found.copy), np.maximum(found.original, found.copy), strict=True))
    share = np.mean([pair in pairs for pair in zip(originals, copies, strict=True)])
    print(
        f"Near-duplicates of {images:,} thumbnails: {seconds:.0f} s ({computing:.0f} s of one core); peak memory "
        f"{peak:.1f} GiB, {held:.1f} GiB before; {100 * share:.1f}% of {len(copies):,} planted copies "
        f"are candidates, of {len(found.copy):,}.",
        flush=True,
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=20_000, help="images of the largest set")
    parser.add_argument(
        "--start", type=int, default=1_000_000, help="images that are searched, and whose targets are computed"
    )
    parser.add_argument("--crops", type=int, default=len(appearance.CROPS), help="crops that are searched")
    parser.add_argument("--folder", type=Path, default=None)
    given = parser.parse_args()
    if given.folder is not None:
        given.folder.mkdir(parents=True, exist_ok=True)
    sizes = [given.images // 4, given.images // 2, given.images]
    if given.images:
        with tempfile.TemporaryDirectory(dir=given.folder) as folder:
            growth(sizes, [commands(Path(folder) / str(size), size) for size in sizes])
    appearance.CROPS = appearance.CROPS[: given.crops]
    for count in (given.start // 4, given.start // 2, given.start):
        search(count)
    start(given.start)


if __name__ == "__main__":
    main()
