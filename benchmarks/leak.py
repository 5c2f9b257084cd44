"""What leakage is worth: the same networks and the same images, split at random and split safely.

Writes two lists of the same images: one without groups, and one whose groups join patients, copies and
near-duplicates. cass splits each list anew for every seed; linear probes of the pretrained networks are compared
on the test images of each.
Usage: python benchmarks/leak.py [--data ../shared/data/brain-tumour-mri/labels.csv] [--out runs/leak] [--jobs N]
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
import yaml

import cass
from cass.auditing.facts import facts_of_set
from cass.auditing.safe_splits import joined_groups
from cass.data.manifest.manifest import load_manifest

SHARED = Path(__file__).resolve().parents[2] / "shared"
WEIGHTS = {
    "cnn": "efficientnet_lite0",
    "cnn_weights": str(SHARED / "weights" / "efficientnet_lite0.safetensors"),
    "transformer": "vit_small_patch14_dinov2",
    "transformer_weights": str(SHARED / "weights" / "vit_small_patch14_dinov2.safetensors"),
    "image_size": 56,
}


def write_lists(source: Path, folder: Path) -> None:
    """Write the list without groups and the list with joined groups."""
    manifest = load_manifest(source)
    facts = facts_of_set(manifest)
    codes = joined_groups(manifest, facts)
    for name in ("random", "safe"):
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["image", "label", *(["group"] if name == "safe" else [])])
            for row in np.flatnonzero(facts.readable):
                label = manifest.classes[int(manifest.targets[row].argmax())]
                group = [f"part {codes[row]}"] if name == "safe" else []
                writer.writerow([manifest.path(int(row)).resolve(), label, *group])


def main() -> None:
    """Write the lists and the benchmark, and run it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=SHARED / "data" / "brain-tumour-mri" / "labels.csv")
    parser.add_argument("--out", type=Path, default=Path("runs/leak"))
    parser.add_argument("--jobs", type=int)
    given = parser.parse_args()
    lists = given.out.with_name(f"{given.out.name}-lists")
    lists.mkdir(parents=True, exist_ok=True)
    if not (lists / "safe.csv").is_file():
        write_lists(given.data, lists)
    spec = {
        "name": "leak",
        "claim": "none",
        "data": {name: {"source": f"{name}.csv"} for name in ("random", "safe")},
        "networks": {"small": WEIGHTS},
        "methods": {"none": {"pretraining": False}},
        "tuning": {"probe": {"head": "linear"}},
        "label_fractions": [0.1, 1.0],
    }
    (lists / "leak.yaml").write_text(yaml.safe_dump(spec))
    cass.benchmark(lists / "leak.yaml", out=given.out, jobs=given.jobs)
    print((given.out / "tables.md").read_text())


if __name__ == "__main__":
    main()
