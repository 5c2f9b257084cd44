"""What leakage is worth: the same networks and the same images, split at random and split safely.

For each seed, the images are split at random and safely: with patients, copies and near-duplicates kept together.
Linear probes of the pretrained networks are compared on the test images of each.
Usage: python benchmarks/leak.py [--data ../shared/data/brain-tumour-mri/labels.csv] [--out runs/leak] [--jobs N]
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

import cass
from cass.auditing.facts import facts_of_set, take
from cass.auditing.safe_splits import safe_splits
from cass.data.manifest.csv_text import manifest_csv
from cass.data.manifest.manifest import load_manifest
from cass.data.splits.resolve import make_splits
from cass.evaluation.comparisons import t_interval
from cass.reports.tables import percent

SHARED = Path(__file__).resolve().parents[2] / "shared"
WEIGHTS = {
    "cnn": "efficientnet_lite0",
    "cnn_weights": str(SHARED / "weights" / "efficientnet_lite0.safetensors"),
    "transformer": "vit_small_patch14_dinov2",
    "transformer_weights": str(SHARED / "weights" / "vit_small_patch14_dinov2.safetensors"),
    "image_size": 56,
}


SEEDS = range(5)


def write_lists(source: Path, folder: Path) -> None:
    """Write for each seed a list with a random split and one with a safe split of the same images."""
    manifest = load_manifest(source)
    facts = facts_of_set(manifest)
    kept = np.flatnonzero(facts.readable)
    manifest, facts = manifest.subset(kept), take(facts, kept)
    for seed in SEEDS:
        splits = {
            "random": make_splits(manifest.targets, groups=None, labelled=manifest.labelled, seed=seed),
            "safe": safe_splits(manifest, facts, seed=seed, ratios=(0.7, 0.1, 0.2)),
        }
        for name, split in splits.items():
            made = replace(manifest, splits=split, groups=None, metadata={})
            (folder / f"{name}-{seed}.csv").write_text(manifest_csv(made, folder=None))


def table(runs: pd.DataFrame) -> str:
    """Lay the results of both kinds of split side by side, over the seeds."""
    runs = runs[runs["metric"] == "balanced_accuracy"]
    parts = runs["data"].str.split("-")
    wide = runs.assign(kind=parts.str[0], split_seed=parts.str[1]).pivot_table(
        index=["label_fraction", "branch"], columns=["kind", "split_seed"], values="value"
    )
    lines = ["| labels | branch | random split | safe split | difference |", "| --- | --- | --- | --- | --- |"]
    for (fraction, branch), row in wide.iterrows():
        both = [t_interval(row[name].to_numpy()) for name in ("random", "safe")]
        difference = t_interval((row["random"] - row["safe"]).to_numpy())
        cells = [percent(entry) for entry in both] + [percent(difference, sign="+")]
        lines.append(f"| {100 * fraction:g}% | {branch} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Write the lists and the benchmark, run it, and print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=SHARED / "data" / "brain-tumour-mri" / "labels.csv")
    parser.add_argument("--out", type=Path, default=Path("runs/leak"))
    parser.add_argument("--jobs", type=int)
    given = parser.parse_args()
    lists = given.out.with_name(f"{given.out.name}-lists")
    lists.mkdir(parents=True, exist_ok=True)
    if not (lists / f"safe-{SEEDS[-1]}.csv").is_file():
        write_lists(given.data, lists)
    names = [f"{kind}-{seed}" for kind in ("random", "safe") for seed in SEEDS]
    spec = {
        "name": "leak",
        "claim": "none",
        # The random split leaks: that is what is measured.
        "data": {name: {"source": f"{name}.csv", "allow_leakage": True} for name in names},
        "networks": {"small": WEIGHTS},
        "methods": {"none": {"pretraining": False}},
        "tuning": {"probe": {"head": "linear"}},
        "label_fractions": [0.1, 1.0],
        "seeds": [0],
    }
    (lists / "leak.yaml").write_text(yaml.safe_dump(spec))
    cass.benchmark(lists / "leak.yaml", out=given.out, jobs=given.jobs)
    print(table(pd.read_csv(given.out / "runs.csv")))


if __name__ == "__main__":
    main()
