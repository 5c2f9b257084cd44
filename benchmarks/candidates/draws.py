"""Compare the candidates on many draws of labels: a draw costs a second, a pretraining minutes.

Every pretrained network of the folder is probed with other draws of 1% and 10% of the labels. Balanced accuracy
is that on the validation images outside of the draw, mean over both branches. A row for each candidate: its
difference from the default, paired by data set, seed and draw; intervals (95%, Student's t) over the
pretrainings. What draws.csv holds is not probed again.
Usage: python benchmarks/candidates/draws.py runs/candidates [--draws 10]     (writes draws.csv there)
"""

from __future__ import annotations

import argparse
import logging
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy import stats
from scipy.special import softmax

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from frozen import frozen_images, tuning_settings

from cass.benchmarking.cells import PRETRAIN, Cell
from cass.benchmarking.resolving import resolve_benchmark
from cass.benchmarking.steps import Step
from cass.config.benchmark import BenchmarkConfig
from cass.evaluation.metrics import balanced_accuracy
from cass.files import write_text

FOLDER = Path(__file__).parent
FRACTIONS = (0.01, 0.1)
FIRST = 100
"""Seed of the first draw; the benchmark's own seeds are small."""


def probed(cell: Cell, draws: int) -> list[dict[str, object]]:
    """Probe the branches of a cell: a row for each label fraction, draw and branch."""
    start = cell.folder / PRETRAIN
    images = frozen_images(cell, start, splits=("train", "val"))
    embeddings, targets = images.embed(start), images.inputs.manifest.targets
    rows = []
    for settings in tuning_settings(cell, start):
        if settings.label_fraction not in FRACTIONS:
            continue
        for draw in range(FIRST, FIRST + draws):
            logits, labelled = images.probes(settings.model_copy(update={"seed": draw}), embeddings)
            rest = np.setdiff1d(np.flatnonzero(images.inputs.splits == "val"), labelled)
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


def main() -> None:
    """Probe what is new, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--draws", type=int, default=10)
    given = parser.parse_args()
    for file in sorted(FOLDER.glob("[a-z]*.py")):
        if file.stem != Path(__file__).stem:
            import_module(file.stem)
    torch.set_num_threads(1)
    logging.getLogger("cass").setLevel(logging.WARNING)
    benchmark = resolve_benchmark(BenchmarkConfig(spec=FOLDER / "candidates.yaml", out=given.run))
    path = given.run / "draws.csv"
    table = pd.read_csv(path) if path.is_file() else pd.DataFrame({"cell": []})
    for cell in benchmark.cells.values():
        if cell.name not in set(table["cell"]) and Step(cell, None).done:
            table = pd.concat([table, pd.DataFrame(probed(cell, given.draws))], ignore_index=True)
            write_text(path, table.to_csv(index=False))
            print(f"{cell.name} done.", flush=True)
    print(differences(table, benchmark.spec.claim).to_string(index=False))


if __name__ == "__main__":
    main()
