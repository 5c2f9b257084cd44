"""Plots of a benchmark whose numbers are known."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from cass.benchmarking.plots import plot_benchmark
from known_outcome import two_sets


def test_pictures(tmp_path: Path) -> None:
    plot_benchmark(two_sets(batch_sizes=(16, 32)), tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {
        "label-efficiency-brain-small-full.png",
        "label-efficiency-blood_cells-small-full.png",
        "batch-size-small-full.png",
        "time-small-full.png",
    }
    for path in tmp_path.iterdir():
        with Image.open(path) as image:
            assert len(set(image.convert("L").resize((64, 64)).tobytes())) > 2
