"""Do heat maps point at what the network uses? The pointing game where the answer is known.

A small chequered square is planted into half of the brain slices, inside the head, and both networks are
fine-tuned to tell marked slices from others. A heat map points at the mark where its highest place lies within the
mark or at most 15/224 of the side away from it (Zhang et al., IJCV 2018, section 4.1). The same is counted for
networks of the same architecture with random weights (Adebayo et al., NeurIPS 2018), and for a point drawn inside
the head.
Usage: python benchmarks/explanations.py --out runs/explanations     (writes explanations.md there)
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

import cass
from cass.benchmarking.starting_run import write_starting_run
from cass.config.pretrain import PretrainConfig
from cass.evaluation.shares import wilson
from cass.files import write_text
from cass.models.attribution import heat_maps
from cass.models.backbones import Branch, build_branch
from cass.models.checkpoints import load_branch
from cass.reports.tables import Cells, percent

SHARED = Path(__file__).resolve().parents[2] / "shared"
BRAIN = SHARED / "data/brain-tumour-mri"
SIDE, MARK, TOLERANCE = 112, 14, round(112 * 15 / 224)
COUNTS = {"train": 400, "val": 80, "test": 200}


def plant(out: Path, *, seed: int) -> dict[str, tuple[int, int]]:
    """Write slices, half of them marked, with a table of labels; returns the corner (row, column) of each mark."""
    random = np.random.default_rng(seed)
    with (BRAIN / "labels.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["label"] != "no_tumour"]
    (out / "images").mkdir(parents=True, exist_ok=True)
    marks: dict[str, tuple[int, int]] = {}
    table = ["image,label,group,split"]
    for split, count in COUNTS.items():
        there = [row for row in rows if row["split"] == split]
        for number, index in enumerate(random.choice(len(there), count, replace=False)):
            row = there[int(index)]
            with Image.open(BRAIN / row["image"]) as picture:
                pixels = np.array(picture.convert("L").resize((SIDE, SIDE), Image.Resampling.BICUBIC))
            name = f"images/{split}-{number:03d}.png"
            if number % 2 == 0:
                marks[name] = _corner(pixels, random)
                _draw(pixels, marks[name])
            Image.fromarray(pixels).save(out / name)
            table.append(f"{name},{'marked' if name in marks else 'plain'},{row['group']},{split}")
    write_text(out / "labels.csv", "\n".join(table) + "\n")
    return marks


def _corner(pixels: NDArray[np.uint8], random: np.random.Generator) -> tuple[int, int]:
    """Draw the place of a mark whose centre lies inside the head."""
    inside = pixels[MARK // 2 : SIDE - MARK // 2, MARK // 2 : SIDE - MARK // 2] > 30
    row, column = random.choice(np.argwhere(inside))
    return int(row), int(column)


def _draw(pixels: NDArray[np.uint8], corner: tuple[int, int]) -> None:
    """Draw a chequered square of 2 x 2 pixels a field."""
    fields = (np.indices((MARK, MARK)) // 2).sum(axis=0)
    row, column = corner
    pixels[row : row + MARK, column : column + MARK] = np.where(fields % 2 == 0, 230, 25)


def tuned_branches(out: Path, *, seed: int) -> dict[str, Branch]:
    """Fine-tune both networks from their pretrained weights, unless that is done."""
    labels = str(out / "labels.csv")
    if not (out / "start/summary.json").is_file():
        write_starting_run(
            PretrainConfig(
                data=labels,
                out=out / "start",
                cnn="efficientnet_lite0",
                cnn_weights=str(SHARED / "weights/efficientnet_lite0.safetensors"),
                transformer="vit_small_patch14_dinov2",
                transformer_weights=str(SHARED / "weights/vit_small_patch14_dinov2.safetensors"),
                image_size=SIDE,
                seed=seed,
            )
        )
    tuned = out / "tuned"
    if not (tuned / "summary.json").is_file():
        cass.finetune(out / "start", labels=labels, out=tuned, epochs=6, patience=6, unlabelled="off", seed=seed)
    return {name: load_branch(tuned / f"checkpoints/{name}.safetensors") for name in ("cnn", "transformer")}


def randomised(branch: Branch, *, seed: int) -> Branch:
    """Return a network of the same architecture with random weights."""
    other = build_branch(replace(branch.spec, weights="none"), seed=seed)
    assert isinstance(branch.head, nn.Linear)
    torch.manual_seed(seed)
    other.head = nn.Linear(branch.head.in_features, branch.head.out_features)
    return other.eval()


def pictures(root: Path, names: Iterable[str]) -> Tensor:
    """Read images as (N, 3, S, S) in [0, 1]."""
    grey = np.stack([np.array(Image.open(root / name)) for name in names])
    return (torch.from_numpy(grey).float() / 255)[:, None].expand(-1, 3, -1, -1).contiguous()


def hits(maps: NDArray[np.float32], corners: Iterable[tuple[int, int]]) -> NDArray[np.bool_]:
    """Tell which maps (N, S, S) have their highest place at their mark."""
    tops = np.stack(np.divmod(maps.reshape(len(maps), -1).argmax(axis=1), SIDE), axis=1)
    past = tops - np.array(list(corners))
    found: NDArray[np.bool_] = ((past >= -TOLERANCE) & (past < MARK + TOLERANCE)).all(axis=1)
    return found


def measure(out: Path, *, seed: int) -> dict[str, dict[str, NDArray[np.float64]]]:
    """Measure one seed: per branch, values for each marked test image."""
    marks = plant(out, seed=seed)
    names = [name for name in marks if "test-" in name]
    corners = [marks[name] for name in names]
    shown = pictures(out, names)
    random = np.random.default_rng(seed)
    drawn = [random.choice(np.argwhere(image[0].numpy() > 30 / 255)) for image in shown]
    at_random = np.zeros((len(names), SIDE, SIDE), dtype=np.float32)
    for row, (y, x) in enumerate(drawn):
        at_random[row, y, x] = 1
    found = {}
    for name, branch in tuned_branches(out, seed=seed).items():
        classes = torch.zeros(len(names), dtype=torch.long)  # 'marked' comes first
        with torch.no_grad():
            called = branch.eval()(shown).argmax(dim=1) == 0
        maps = heat_maps(branch, shown, classes).numpy()
        other = heat_maps(randomised(branch, seed=seed), shown, classes).numpy()
        both = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(maps, other, strict=True)]
        found[name] = {
            "called marked": called.numpy().astype(float),
            "fine-tuned network": hits(maps, corners).astype(float),
            "random weights": hits(other, corners).astype(float),
            "random point": hits(at_random, corners).astype(float),
            "correlation": np.array(both),
        }
    return found


def main() -> None:
    """Measure all seeds, and write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", default="0,1,2")
    options = parser.parse_args()
    seeds = [int(seed) for seed in options.seeds.split(",")]
    each = [measure(options.out / f"seed-{seed}", seed=seed) for seed in seeds]
    shares = ("called marked", "fine-tuned network", "random weights", "random point")
    rows = []
    for branch in each[0]:
        joined = {key: np.concatenate([one[branch][key] for one in each]) for key in each[0][branch]}
        cells = [percent(wilson(float(joined[key].mean()), len(joined[key]))) for key in shares]
        rows.append([branch, str(len(joined["correlation"])), *cells, f"{np.nanmean(joined['correlation']):.2f}"])
    table = Cells("", ["branch", "images", *shares, "correlation"], rows).markdown()
    write_text(options.out / "explanations.md", table + "\n")
    print(table)


if __name__ == "__main__":
    main()
