"""Compare the methods of a benchmark on many draws of labels: a draw costs a second, a pretraining minutes.

Every pretrained network of a finished benchmark is probed with other draws of 1% and 10% of the labels. Balanced
accuracy is the mean over both branches, on the test images, or where the benchmark looks at validation images, on
those outside of the draw. A row for each method: its difference from the claimed one, paired by data set, seed and
draw; intervals (95%, Student's t) over the pretrainings. What draws.csv holds is not probed again.
Usage: python benchmarks/draws.py benchmarks/small.yaml runs/small [--draws 10]     (writes draws.csv there)
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from frozen import frozen_images, tuning_settings
from scipy import stats
from scipy.special import softmax

from cass.benchmarking.cells import PRETRAIN, Cell
from cass.benchmarking.resolving import resolve_benchmark
from cass.benchmarking.steps import Step
from cass.config.benchmark import BenchmarkConfig
from cass.evaluation.metrics import balanced_accuracy
from cass.files import write_text

FRACTIONS = (0.01, 0.1)
FIRST = 100
"""Seed of the first draw; the benchmark's own seeds are small."""


def probed(cell: Cell, draws: int, *, split: str) -> list[dict[str, object]]:
    """Probe the branches of a cell: a row for each label fraction, draw and branch."""
    start = cell.folder / PRETRAIN
    images = frozen_images(cell, start, splits=tuple(dict.fromkeys(("train", "val", split))))
    embeddings, targets = images.embed(start), images.inputs.manifest.targets
    rows = []
    for settings in tuning_settings(cell, start):
        if settings.label_fraction not in FRACTIONS:
            continue
        for draw in range(FIRST, FIRST + draws):
            logits, labelled = images.probes(settings.model_copy(update={"seed": draw}), embeddings)
            rest = np.setdiff1d(np.flatnonzero(images.inputs.splits == split), labelled)
            place = {"cell": cell.name, "data": cell.data.name, "seed": cell.config.seed, "method": cell.method}
            place |= {"fraction": settings.label_fraction, "draw": draw}
            for branch, found in logits.items():
                value = balanced_accuracy(softmax(found[rest], axis=1), targets[rest], task="multiclass")
                rows.append(place | {"branch": branch, "value": value})
    return rows


def differences(table: pd.DataFrame, claim: str) -> pd.DataFrame:
    """Return a row for each method: mean accuracy, and points over the claimed one with its interval."""
    means = table.groupby(["method", "fraction", "data", "seed"])["value"].mean() * 100
    rows = []
    for method in table["method"].unique():
        row = {"method": method}
        for fraction in FRACTIONS:
            own = means[method, fraction]
            paired = (own - means[claim, fraction]).dropna()
            sets = paired.index.get_level_values("data").nunique()
            low, high = stats.ttest_1samp(paired, 0).confidence_interval() if paired.any() else (0.0, 0.0)
            row[f"{fraction:.0%}"] = f"{own[paired.index].mean():.1f}"
            row[f"{fraction:.0%}, difference"] = f"{paired.mean():+.1f} [{low:.1f}, {high:.1f}]"
            row["pretrainings"] = f"{len(paired)} of {sets} sets"
        rows.append(row)
    return pd.DataFrame(rows)


def compare(spec: Path, run: Path, *, draws: int) -> None:
    """Probe what is new, and print the table.

    Args:
        spec: File of the benchmark.
        run: Its folder.
        draws: Draws of each label fraction.
    """
    torch.set_num_threads(1)
    logging.getLogger("cass").setLevel(logging.WARNING)
    benchmark = resolve_benchmark(BenchmarkConfig(spec=spec, out=run))
    path = run / "draws.csv"
    table = pd.read_csv(path) if path.is_file() else pd.DataFrame({"cell": []})
    for cell in benchmark.cells.values():
        there = Step(cell, None).done and (cell.folder / PRETRAIN / "checkpoints").is_dir()
        if there and cell.name not in set(table["cell"]):
            rows = probed(cell, draws, split=benchmark.spec.split)
            table = pd.concat([table, pd.DataFrame(rows)], ignore_index=True)
            write_text(path, table.to_csv(index=False))
            print(f"{cell.name} done.", flush=True)
    own = table[table["cell"].isin(list(benchmark.cells))]
    print(differences(own, benchmark.spec.claim).to_string(index=False))


def main() -> None:
    """Compare the methods of a benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("spec", type=Path)
    parser.add_argument("run", type=Path, help="folder of the benchmark")
    parser.add_argument("--draws", type=int, default=10)
    given = parser.parse_args()
    compare(given.spec, given.run, draws=given.draws)


if __name__ == "__main__":
    main()
