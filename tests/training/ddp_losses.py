"""Trains a ConvNeXt and a ViT for 20 steps and writes the losses; started by test_ddp with 1 or 2 processes."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch

from cass.config.pretrain import PretrainConfig
from cass.data.store.dataset import StoredImages
from cass.data.store.store import ImageStore
from cass.methods.base import METHODS, build_method
from cass.models.backbones import BackboneSpec, build_branch
from cass.training.engine import fit
from cass.training.modules import PretrainModule
from cass.transforms.recipes import RECIPES
from cass.transforms.views import build_views

IMAGES, STEPS = 325, 21  # the last batch of 5 is shared unevenly


class Losses(pl.Callback):
    """Keeps the loss of every step, averaged over the processes."""

    def __init__(self) -> None:
        self.seen: list[float] = []

    def on_train_batch_end(self, trainer: pl.Trainer, module: Any, outputs: Any, *_: Any) -> None:
        self.seen.append(float(trainer.strategy.reduce(outputs["loss"].detach(), reduce_op="mean")))


def main(out: Path, devices: int, method: str, device: str) -> None:
    config = PretrainConfig(
        data="x", out=out, batch_size=16, device=device, precision="32", lr=1e-3, compile="off"
    )
    branches = {
        # Batch norm is synchronised on GPUs only.
        "cnn": build_branch(BackboneSpec(name="test_convnext" if device == "cpu" else "test_resnet"), seed=0),
        "transformer": build_branch(BackboneSpec(name="test_vit", image_size=32), seed=1),
    }
    torch.manual_seed(0)
    built = build_method(METHODS.find(method), {}, branches)
    start = torch.Generator().manual_seed(0)
    seen = {name: torch.randn(IMAGES, part.num_features, generator=start) for name, part in branches.items()}
    built.begin(seen, lambda: torch.randn(IMAGES, 20, generator=start))
    pixels = np.random.default_rng(0).integers(0, 256, (IMAGES, 32, 32, 3), dtype=np.uint8)
    module = PretrainModule(
        built,
        config=config,
        images=StoredImages(ImageStore(array=pixels, unreadable={}), range(IMAGES)),
        make_views=build_views(RECIPES["paper"]),
        batch_size=16,
    )
    losses = Losses()
    fit(module, settings=config, epochs=1, callbacks=[losses], logs=out / "logs", devices=devices)
    if module.global_rank == 0:
        (out / f"{devices}.json").write_text(json.dumps(losses.seen))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4])
