"""Are weights between the start and the pretrained network better than either (WiSE-FT, arXiv 2109.01903)?

Takes the pretraining runs of `cass benchmark benchmarks/small.yaml` that have their networks, moves each branch a
share of the way from its initial weights to its pretrained ones, and measures linear probes on the validation
images of brain-tumour-mri and white-blood-cells, seeds that are there, mean over both branches. Finished steps are
kept, so that it can be continued.
Usage: python benchmarks/interpolation.py runs/small --out runs/interpolation
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import numpy as np

import cass
from cass.config.pretrain import PretrainConfig
from cass.models.checkpoints import load_branch, save_branch
from cass.runs.folder import branch_files, read_config
from cass.training.start import start_branch
from cass.types import BranchName

SETS = ("brain-tumour-mri", "white-blood-cells")
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
FRACTIONS = (0.01, 0.1, 1.0)


def blend(run: Path, out: Path, *, share: float) -> None:
    """Copy a pretraining run whose weights have gone only a share of their way."""
    config = read_config(run, PretrainConfig, written_by="cass pretrain")
    shutil.copytree(run, out, dirs_exist_ok=True, ignore=shutil.ignore_patterns("plots", "tensorboard*", ".*"))
    for name, path in branch_files(run).items():
        branch = load_branch(path)
        start = start_branch(config, name).state_dict()
        for key, value in branch.state_dict().items():
            if value.is_floating_point() and key in start and key not in ("mean", "std"):
                value.copy_(start[key] + share * (value - start[key]))
        save_branch(branch, out / path.relative_to(run))


def accuracies(run: Path, out: Path, *, fraction: float, seed: int) -> dict[BranchName | str, float]:
    """Probe a run unless that is done; returns the balanced accuracy of each branch on the validation images."""
    labels = str(read_config(run, PretrainConfig, written_by="cass pretrain").data)
    report = out / "evaluation/val/report.json"
    if not report.is_file():
        if not (out / "summary.json").is_file():
            cass.finetune(run, labels=labels, out=out, head="linear", label_fraction=fraction, seed=seed)
        cass.evaluate(out, labels=labels, split="val")
    found = json.loads(report.read_text(encoding="utf-8"))
    return {name: entry["metrics"]["balanced_accuracy"]["value"] for name, entry in found.items()}


def main() -> None:
    """Blend, probe, and print a row for each set and label fraction."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("small", type=Path, help="folder of cass benchmark benchmarks/small.yaml")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    print("| set | labels | seeds | " + " | ".join(f"{share:g}" for share in SHARES) + " |")
    print("| --- " * (len(SHARES) + 3) + "|", flush=True)
    for name in SETS:
        runs = sorted(path.parent for path in given.small.glob(f"cells/{name}-small-cass-*/pretrain/checkpoints"))
        found: dict[float, list[list[float]]] = {fraction: [] for fraction in FRACTIONS}
        for run in runs:
            seed = read_config(run, PretrainConfig, written_by="cass pretrain").seed
            rows: dict[float, list[float]] = {fraction: [] for fraction in FRACTIONS}
            for share in SHARES:
                folder = given.out / f"{name}-s{seed}-{share:g}"
                blend(run, folder / "pretrain", share=share)
                for fraction in FRACTIONS:
                    by_branch = accuracies(
                        folder / "pretrain", folder / f"{fraction:g}", fraction=fraction, seed=seed
                    )
                    rows[fraction].append(float(np.mean([by_branch["cnn"], by_branch["transformer"]])))
            for fraction, row in rows.items():
                found[fraction].append(row)
        for fraction, table in found.items():
            cells = " | ".join(f"{100 * value:.1f}" for value in np.mean(table, axis=0))
            print(f"| {name} | {100 * fraction:g}% | {len(table)} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
