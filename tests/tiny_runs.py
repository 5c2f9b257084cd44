"""Tiny random networks saved as runs are, and small images: for what needs networks but no training."""

from __future__ import annotations

import json
from pathlib import Path

import imagecodecs
import numpy as np
import torch
from PIL import Image

from cass.models.backbones import BackboneSpec, build_branch
from cass.models.checkpoints import save_branch
from conftest import draw

NETWORKS = {
    "cnn": ("resnet10t", {"channels": [8, 16, 16, 16], "stem_width": 8}),
    "transformer": ("vit_tiny_patch16_224", {"depth": 1, "embed_dim": 32, "num_heads": 2}),
}


def write_run(folder: Path, *, seed: int = 0, classes: tuple[str, ...] = ()) -> Path:
    """Save random branches as a run folder; with classes, as a fine-tuned one."""
    (folder / "checkpoints").mkdir(parents=True)
    for name, (network, args) in NETWORKS.items():
        branch = build_branch(BackboneSpec(network, image_size=32, args=args), seed=seed)
        if classes:
            torch.manual_seed(seed)
            branch.head = torch.nn.Linear(branch.num_features, len(classes))
        save_branch(branch, folder / "checkpoints" / f"{name}.safetensors")
    if classes:
        summary = {"kind": "finetune", "classes": classes, "task": "multiclass"}
        (folder / "summary.json").write_text(json.dumps(summary))
    return folder


def write_images(folder: Path, *, count: int = 30) -> Path:
    """Write small PNG scans into nested folders; the last one is 16-bit, and twice the size."""
    rng = np.random.default_rng(1)
    for index in range(count):
        path = folder / f"{index // 10}" / f"{index:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw(index % 3, rng=rng)).save(path)
    path.write_bytes(imagecodecs.png_encode(rng.integers(0, 65536, (64, 64), dtype=np.uint16)))
    return folder
