"""Embed many tiny images with one command: speed, memory over time, and a SIGKILL halfway.

Draws a few thousand different PNG images, hard-links them into nested folders up to the requested number, saves a
pair of tiny, randomly initialised networks as a run, and runs `cass embed` on them in a separate process. Halfway,
the process is killed with SIGKILL and resumed. Then the file is checked: one row per image, each name once, and
embeddings equal to those computed directly. Linux only (it reads /proc).
Usage: python benchmarks/stream.py [--images 1000000] [--distinct 2000] [--folder DIR]
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import torch
from PIL import Image

from cass.models.backbones import BackboneSpec, build_branch
from cass.models.checkpoints import load_branch, save_branch
from cass.runs.shards import SHARD_ROWS
from cass.types import BRANCHES

SIDE = 64
A_FOLDER = 1000
SAMPLE = 200
SPECS = {
    "cnn": BackboneSpec("resnet10t", image_size=SIDE, args={"channels": [8, 16, 16, 16], "stem_width": 8}),
    "transformer": BackboneSpec(
        "vit_tiny_patch16_224",
        image_size=SIDE,
        args={"depth": 1, "embed_dim": 32, "num_heads": 2, "patch_size": 16},
    ),
}


@dataclass
class Part:
    """Time and memory of one process.

    Attributes:
        seconds: Wall-clock time.
        samples: Fraction of all shards done, and memory in MiB, over time.
    """

    seconds: float
    samples: list[tuple[float, float]]

    def peak(self, share: float = 1.0) -> float:
        """Return the peak memory up to a fraction of the shards, in MiB."""
        return max(memory for done, memory in self.samples if done <= share)


def draw(folder: Path, *, images: int, distinct: int) -> None:
    """Draw the distinct images, and hard-link them up to the requested number."""
    rng = np.random.default_rng(0)
    sources = []
    (folder / ".distinct").mkdir(parents=True)
    for index in range(min(distinct, images)):
        coarse = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        picture = Image.fromarray(coarse).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        sources.append(str(folder / ".distinct" / f"{index}.png"))
        picture.save(sources[-1])
    for index in range(images):
        number = index // A_FOLDER
        below = folder / f"{number // 100:03d}" / f"{number:05d}"
        if index % A_FOLDER == 0:
            below.mkdir(parents=True)
        os.link(sources[index % len(sources)], f"{below}/{index:08d}.png")


def save_run(run: Path) -> None:
    """Save randomly initialised branches as cass pretrain does."""
    (run / "checkpoints").mkdir(parents=True)
    for name in BRANCHES:
        save_branch(build_branch(SPECS[name], seed=0), run / "checkpoints" / f"{name}.safetensors")


def embed(line: list[str], *, parts: Path, shards: int, kill_at: float | None) -> Part:
    """Run the command, sample its memory, and kill it at the given fraction, if any."""
    begun, samples = time.perf_counter(), list[tuple[float, float]]()
    process = subprocess.Popen([sys.executable, "-c", "from cass.cli import main; main()", *line])
    while process.poll() is None:
        status = Path(f"/proc/{process.pid}/status").read_text()
        resident = next((row for row in status.splitlines() if row.startswith("VmRSS")), None)
        names = os.listdir(parts) if parts.is_dir() else []
        done = sum(name.startswith("part-") for name in names) / shards
        if not names and samples:
            done = samples[-1][0]  # the shards are joined and removed
        if resident is not None:
            samples.append((done, int(resident.split()[1]) / 1024))
        if kill_at is not None and done >= kill_at:
            process.send_signal(signal.SIGKILL)
        time.sleep(0.05)
    expected = 0 if kill_at is None else -signal.SIGKILL
    if process.returncode != expected:
        sys.exit(f"cass embed ended with {process.returncode} where {expected} was expected")
    return Part(time.perf_counter() - begun, samples)


def check(file: Path, *, images: Path, count: int, run: Path) -> float:
    """Check rows and names; return the largest difference of a sample from embeddings computed directly."""
    table = pq.ParquetFile(file)
    names = table.read(columns=["image"])["image"].to_pylist()
    assert len(names) == count, f"{len(names)} rows for {count} images"
    assert len(set(names)) == count, "an image occurs twice"
    branches = {name: load_branch(run / "checkpoints" / f"{name}.safetensors").eval() for name in BRANCHES}
    rng, difference = np.random.default_rng(1), 0.0
    for group in rng.integers(0, table.num_row_groups, SAMPLE // 10):
        rows = table.read_row_group(int(group))
        for row in rng.integers(0, rows.num_rows, 10).tolist():
            pixels = np.asarray(Image.open(images / rows["image"][row].as_py()), dtype=np.float32) / 255
            for name, branch in branches.items():
                with torch.inference_mode():
                    expected = branch.embed(torch.from_numpy(pixels).permute(2, 0, 1)[None])[0].numpy()
                found = np.array(rows[name][row].as_py(), dtype=np.float32)
                difference = max(difference, float(np.abs(found - expected).max()))
    assert difference < 1e-4, f"an embedding is off by {difference}"
    return difference


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=1_000_000)
    parser.add_argument("--distinct", type=int, default=2000)
    parser.add_argument("--folder", type=Path, help="working folder; default: a temporary folder")
    options = parser.parse_args()
    if options.folder is not None:
        options.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        work = Path(name)
        images, run, out = work / "images", work / "run", work / "embeddings.parquet"
        draw(images, images=options.images, distinct=options.distinct)
        save_run(run)
        shards = -(-options.images // SHARD_ROWS)
        line = ["embed", str(run), str(images), "--out", str(out), "--device", "cpu"]
        parts = work / f".{out.name}.parts"
        first = embed(line, parts=parts, shards=shards, kill_at=0.5)
        second = embed([*line, "--resume"], parts=parts, shards=shards, kill_at=None)
        difference = check(out, images=images, count=options.images, run=run)
        seconds = first.seconds + second.seconds
        whole = max(first.peak(), second.peak())
        rows = {
            "images": str(options.images),
            "images/s, including both starts": f"{options.images / seconds:.0f}",
            "peak memory up to 10%": f"{first.peak(0.1):.0f} MiB",
            "peak memory up to 50%": f"{first.peak(0.5):.0f} MiB",
            "killed at, then resumed": f"{first.samples[-1][0]:.0%}",
            "peak memory up to 100%": f"{whole:.0f} MiB (including joining the shards)",
            "rows, each image once": str(options.images),
            f"largest difference of {SAMPLE} images": f"{difference:.1e}",
        }
        for title, value in rows.items():
            print(f"{title:34} {value}")


if __name__ == "__main__":
    main()
