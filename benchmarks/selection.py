"""Is it worth choosing which images to label? Chosen against random labels, by linear probes on both branches.

Reads the pretraining runs of `cass benchmark benchmarks/small.yaml` and embeds their images once. Of the training
images, 1% or 5% get a label: chosen as `cass select` chooses them, or at random (the mean of ten draws). Probes of
both branches (penalty 0.1, class weights) are fitted to them; their mean is evaluated on the test images.
Usage: python benchmarks/selection.py runs/small [--out runs/selection.md]
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import softmax

from cass.config.pretrain import PretrainConfig
from cass.data.manifest.manifest import load_manifest
from cass.data.splits.kept import read_splits
from cass.data.store.dataset import StoredImages
from cass.evaluation.joint import joint_embeddings
from cass.evaluation.logistic import LogisticFits
from cass.evaluation.metrics import predicted_labels
from cass.evaluation.probe import WITHOUT_VALIDATION, scalings
from cass.evaluation.resampling import Answers, GroupDraws, Score, difference, resample
from cass.evaluation.selection import doubt_of, select_images
from cass.files import write_text
from cass.groups import group_codes
from cass.models.checkpoints import load_branch
from cass.reports.tables import Cells, percent
from cass.runs.folder import SPLITS_FILE, branch_files, read_config
from cass.runs.inputs import decode, make_plan
from cass.training.losses import class_weights
from cass.training.stored_embeddings import embed_stored

SETS = ("brain-tumour-mri", "skin-lesions", "breast-ultrasound")
FIRST, SECOND = 0.01, 0.05
RANDOM_DRAWS = 10
Arrays = dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Embedded:
    """The labelled images of a set, as a pretraining run sees them.

    Attributes:
        embeddings: (N, D) of each branch, centred and scaled by the training images.
        labels: (N, K) of 0 and 1.
        codes: (N,) group codes.
        units: N names of groups.
        train: Rows of the training images.
        test: Rows of the test images.
    """

    embeddings: Arrays
    labels: NDArray[np.uint8]
    codes: NDArray[np.int64]
    units: tuple[str, ...]
    train: NDArray[np.int64]
    test: NDArray[np.int64]


def embed_run(run: Path) -> Embedded:
    """Embed all labelled images of a run with both branches."""
    config = read_config(run, PretrainConfig, written_by="cass pretrain")
    plan = make_plan(load_manifest(config.data, config), seed=config.seed, known=read_splits(run / SPLITS_FILE))
    size = {"image_size": config.image_size, "in_chans": config.in_chans}
    inputs = decode(plan, plan.rows("train", "val", "test"), **size, purpose="selection", cache="auto")
    manifest, rows = inputs.manifest, np.flatnonzero(inputs.manifest.labelled)
    stored, splits = StoredImages(inputs.images, rows), inputs.splits[rows]
    train = np.flatnonzero(splits == "train")
    found = {}
    for branch, path in branch_files(run).items():
        raw = embed_stored(load_branch(path), stored, device=torch.device("cpu")).double().numpy()
        found[str(branch)] = scalings(raw[train])[0].apply(raw)
    names = [manifest.images[row] for row in rows]
    groups = (
        names if manifest.groups is None else [str(manifest.groups[row]) or manifest.images[row] for row in rows]
    )
    codes = group_codes(manifest.groups, count=len(manifest))[rows]
    test = np.flatnonzero(splits == "test")
    return Embedded(found, manifest.targets[rows], codes, tuple(groups), train, test)


def probed(data: Embedded, rows: NDArray[np.int64]) -> Arrays:
    """Fit a probe of each branch to labelled rows; returns the probabilities (N, K) of all images."""
    labels = data.labels[rows]
    weights = class_weights(torch.from_numpy(labels), task="multiclass").double().numpy()
    told = {}
    for name, features in data.embeddings.items():
        weight, bias = LogisticFits(features[rows], labels, weights, "multiclass").at(WITHOUT_VALIDATION)
        told[name] = softmax(features @ weight.T + bias, axis=1)
    return told


def score(data: Embedded, rows: NDArray[np.int64], draws: GroupDraws) -> Score:
    """Evaluate probes of labelled rows on the test images."""
    mean = np.mean(list(probed(data, rows).values()), axis=0)[data.test]
    units = tuple(data.units[row] for row in data.test)
    predicted = predicted_labels(mean, task="multiclass")
    return draws.score("set", Answers(predicted, data.labels[data.test], units, "multiclass"))


def chosen(data: Embedded, known: NDArray[np.int64], *, budget: int, seed: int) -> NDArray[np.int64]:
    """Choose further rows as `cass select` does: typical ones, and disputed ones once there are labels."""
    train = data.train
    features = joint_embeddings({name: part[train].astype(np.float32) for name, part in data.embeddings.items()})
    has = np.isin(train, known)
    doubt = None
    if len(known):
        doubt = doubt_of({name: part[train] for name, part in probed(data, known).items()}, task="multiclass")
    picked = select_images(
        features, budget=budget, free=~has, known=has, codes=data.codes[train], doubt=doubt, seed=seed
    )
    return np.concatenate([known, train[picked]])


def compare(data: Embedded, draws: GroupDraws, *, seed: int) -> dict[str, Score]:
    """Evaluate every way to spend the two budgets."""
    first, second = (max(2, round(share * len(data.train))) for share in (FIRST, SECOND))
    none = np.array([], dtype=np.int64)
    start = chosen(data, none, budget=first, seed=seed)
    rows = {
        "1% chosen": [start],
        "1% random": _random(data, first, seed),
        "5% chosen at once": [chosen(data, none, budget=second, seed=seed)],
        "5% chosen in two steps": [chosen(data, start, budget=second - first, seed=seed)],
        "5% random": _random(data, second, seed),
    }
    found = {}
    for name, draws_of_rows in rows.items():
        scores = [score(data, part, draws) for part in draws_of_rows]
        found[name] = Score(
            float(np.mean([part.value for part in scores])), np.mean([part.draws for part in scores], axis=0)
        )
    return found


def _random(data: Embedded, budget: int, seed: int) -> list[NDArray[np.int64]]:
    """Draw training images at random, ten times."""
    rng = np.random.default_rng([seed, budget])
    return [rng.choice(data.train, budget, replace=False) for _ in range(RANDOM_DRAWS)]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="folder of cass benchmark benchmarks/small.yaml")
    parser.add_argument("--out", type=Path, default=Path("runs/selection.md"))
    given = parser.parse_args()
    torch.set_num_threads(1)
    rows: list[list[Any]] = []
    for name in SETS:
        cells = {
            seed: path.parent
            for seed in range(5)
            for path in sorted(given.run.glob(f"cells/{name}-small-cass-*-s{seed}-*/pretrain/summary.json"))[:1]
        }
        sets = {seed: embed_run(run) for seed, run in cells.items()}
        if not sets:
            continue
        draws = GroupDraws({"set": sorted({data.units[row] for data in sets.values() for row in data.test})})
        found = [compare(data, draws, seed=seed) for seed, data in sets.items()]
        counts = f"{round(FIRST * len(next(iter(sets.values())).train))}"
        for way in found[0]:
            own = [entry[way] for entry in found]
            base = [entry[f"{way.split()[0]} random"] for entry in found]
            less = [difference(one, two) for one, two in zip(own, base, strict=True)]
            gain = "-" if way.endswith("random") else percent(resample([less], sources=["set"]).interval, sign="+")
            value = percent(resample([own], sources=["set"]).interval)
            rows.append([name, f"{len(sets)}", way, value, gain])
        print(f"{name}: 1% are {counts} labels", flush=True)
    head = ["set", "seeds", "labels", "balanced accuracy, %", "more than random, points"]
    text = Cells("Chosen against random labels", head, rows).markdown() + "\n"
    given.out.parent.mkdir(parents=True, exist_ok=True)
    write_text(given.out, text)
    print(text)


if __name__ == "__main__":
    main()
