"""Measure how much of the two networks' own speed a pretraining step keeps, side by side in one run.

Alternates between (a) batches as `cass pretrain` makes and trains them, augmentation included, and (b) the
same two networks' bare forward, backward and optimiser step on a batch that is ready; prints the median of each
and their ratio. Usage: python benchmarks/throughput.py [--rounds 5] [--steps 8]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import torch

from cass.config import PretrainConfig
from cass.data.dataset import ViewDataset, train_loader
from cass.data.generated import generated_dataset
from cass.data.manifest import load_manifest
from cass.data.store import decode_images
from cass.methods import METHODS
from cass.methods.base import build_method
from cass.training.optim import build_optimizer
from cass.transforms.views import RECIPES, build_views
from cass.types import BRANCHES
from cass.workflows.start import start_branch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=8)
    options = parser.parse_args()
    config = PretrainConfig(
        data="generated",
        out=Path(tempfile.gettempdir()) / "unused",
        cnn="resnet10t",
        transformer="vit_tiny_patch16_224",
        transformer_args={"depth": 6, "patch_size": 8},
        cnn_weights="none",
        transformer_weights="none",
        image_size=64,
    )
    method = build_method("cass", {}, {name: start_branch(config, name) for name in BRANCHES})
    method.branches()["cnn"].to(memory_format=torch.channels_last)
    optimizer = build_optimizer("adam", method.param_groups(), lr=1e-4, weight_decay=0.0)
    manifest = load_manifest(generated_dataset() / "labels.csv")
    rows = range(options.steps * config.batch_size)
    paths = [manifest.path(row) for row in rows]
    images = decode_images(paths, names=[path.name for path in paths], image_size=64, in_chans=3)
    make_views = build_views(RECIPES[METHODS["cass"].default_views])
    ready = images.batch(list(range(config.batch_size))).contiguous(memory_format=torch.channels_last)

    def step(view: torch.Tensor) -> None:
        loss = method([view]).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    def full(epoch: int) -> None:
        dataset = ViewDataset(images, rows, make_views=make_views, epoch=epoch)
        loader = train_loader(dataset, batch_size=config.batch_size, num_workers=0, pin_memory=False)
        for views, _labels, _rows in loader:
            step(views[0].contiguous(memory_format=torch.channels_last))

    def bare(_: int) -> None:
        for _step in range(options.steps):
            step(ready)

    seconds: dict[str, list[float]] = {"pretraining step": [], "bare networks": []}
    for turn in range(options.rounds + 1):
        for name, work in (("pretraining step", full), ("bare networks", bare)):
            start = time.perf_counter()
            work(turn)
            if turn:  # the first round warms up
                seconds[name].append(time.perf_counter() - start)
    rates = {name: len(rows) / statistics.median(times) for name, times in seconds.items()}
    for name, rate in rates.items():
        print(f"{name:18} {rate:8.1f} images/s")
    print(f"share of the bare networks' speed: {rates['pretraining step'] / rates['bare networks']:.2f}")


if __name__ == "__main__":
    main()
