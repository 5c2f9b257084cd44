"""Ablations of pseudo-labelling between branches, on validation images, for docs/explanation/teaching.md.

Reads the pretraining runs that `cass benchmark benchmarks/small.yaml` has left, of brain-tumour-mri and
white-blood-cells, and embeds their images once. A third of the training images is set aside and evaluated with
the validation images whose labels are not drawn; test images are not read. Every variant sees the same labels.
Networks that were pretrained with seed 0 are taught; those of seed 1 only teach, as networks of the same kind. (In
white-blood-cells, whose splits are redrawn, those of seed 1 may have seen the evaluated images, without labels.)
Usage: python benchmarks/teaching.py runs/small [--draws 8] [--out runs/teaching.csv]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.special import softmax

from cass.config.pretrain import PretrainConfig
from cass.data.manifest.manifest import load_manifest
from cass.data.splits.fractions import label_subset
from cass.data.splits.kept import read_splits
from cass.data.store.dataset import StoredImages
from cass.evaluation import cross_teaching
from cass.evaluation.logistic import LogisticFits
from cass.evaluation.metrics import balanced_accuracy
from cass.evaluation.probe import probe_folds, scalings
from cass.files import write_text
from cass.groups import group_codes
from cass.models.checkpoints import load_branch
from cass.runs.folder import SPLITS_FILE, branch_files, read_config
from cass.runs.inputs import decode, make_plan
from cass.training.losses import class_weights
from cass.training.stored_embeddings import embed_stored

SETS = ("brain-tumour-mri", "white-blood-cells")
FRACTIONS = (0.01, 0.1)
TWIN = " of another seed"
"""What the name of a branch is followed by where its network was pretrained with another seed."""
Arrays = dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Variant:
    """One way to teach."""

    teacher: str = "other"
    agree: bool = False
    prior: str = "labels"
    share: float = cross_teaching.SHARE
    rounds: int = cross_teaching.ROUNDS
    weight: float = cross_teaching.WEIGHT
    penalty: float = cross_teaching.PENALTY


BASE = Variant()
VARIANTS: dict[str, Variant] = {
    "default": BASE,
    "taught by the mean of both": replace(BASE, teacher="mean"),
    "each branch taught by itself": replace(BASE, teacher="self"),
    "each taught by the same network of another seed": replace(BASE, teacher="twin"),
    "only where both agree": replace(BASE, agree=True),
    "class shares by EM instead of the labels'": replace(BASE, prior="em"),
    "class shares as predicted": replace(BASE, prior="predicted"),
    "share 0.25": replace(BASE, share=0.25),
    "share 1": replace(BASE, share=1.0),
    "1 round": replace(BASE, rounds=1),
    "12 rounds": replace(BASE, rounds=12),
    "weight 0.1": replace(BASE, weight=0.1),
    "weight 1": replace(BASE, weight=1.0),
    "penalty 0.01": replace(BASE, penalty=0.01),
    "penalty 1": replace(BASE, penalty=1.0),
}


@dataclass(frozen=True)
class Embedded:
    """A set as a pretraining run sees it."""

    name: str
    embeddings: Arrays
    labels: NDArray[np.uint8]
    groups: NDArray[Any] | None
    splits: NDArray[np.str_]


def embed_run(run: Path, name: str, *, twins: Path | None = None) -> Embedded:
    """Embed the training and validation images of a run with both branches, and with those of another run."""
    config = read_config(run, PretrainConfig, written_by="cass pretrain")
    plan = make_plan(load_manifest(config.data, config), seed=config.seed, known=read_splits(run / SPLITS_FILE))
    inputs = decode(
        plan,
        plan.rows("train", "val"),
        image_size=config.image_size,
        in_chans=config.in_chans,
        purpose="teaching",
        cache="auto",
    )
    stored = StoredImages(inputs.images, range(len(inputs.manifest)))
    files = branch_files(run)
    if twins is not None:
        files |= {branch + TWIN: path for branch, path in branch_files(twins).items()}
    found = {
        branch: embed_stored(load_branch(path), stored, device=torch.device("cpu")).double().numpy()
        for branch, path in files.items()
    }
    return Embedded(name, found, inputs.manifest.targets, inputs.manifest.groups, inputs.splits)


def em_prior(told: NDArray[np.float64]) -> NDArray[np.float64]:
    """Estimate class shares of unlabelled images from balanced probabilities (Saerens et al., 2002)."""
    shares = np.full(told.shape[1], 1 / told.shape[1])
    for _ in range(50):
        weighed = told * shares
        shares = (weighed / weighed.sum(axis=1, keepdims=True)).mean(axis=0)
    return shares


def taught_by(name: str, told: Arrays, how: str) -> NDArray[np.float64]:
    """Return the probabilities from which a network learns."""
    both = [branch for branch in told if branch.endswith(TWIN) == name.endswith(TWIN)]
    if how == "mean":
        return np.mean([told[branch] for branch in both], axis=0)
    twin = name.removesuffix(TWIN) if name.endswith(TWIN) else name + TWIN
    other = next(branch for branch in both if branch != name)
    return told[{"other": other, "self": name, "twin": twin}[how]]


def teach(
    labelled: Arrays, unlabelled: Arrays, labels: NDArray[np.uint8], weights: NDArray[np.float64], how: Variant
) -> dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]]:
    """Run the rounds of a variant; returns a function from features to probabilities for each branch."""

    def fit(name: str, lesson: cross_teaching.Lesson | None) -> tuple[Any, Any]:
        if lesson is None:
            return LogisticFits(labelled[name], labels, weights, "multiclass").at(how.penalty)
        hard = cross_teaching.hard_labels(lesson.targets, task="multiclass")
        shares = np.concatenate([np.ones(labels.shape), lesson.shares / cross_teaching.WEIGHT * how.weight])
        return LogisticFits(
            np.concatenate([labelled[name], unlabelled[name][lesson.rows]]),
            np.concatenate([labels, hard]),
            weights,
            "multiclass",
            shares=shares,
        ).at(how.penalty)

    names = [name for name in labelled if how.teacher == "twin" or not name.endswith(TWIN)]
    fits = {name: fit(name, None) for name in names}
    for number in range(1, how.rounds + 1):
        told = {name: softmax(unlabelled[name] @ fits[name][0].T + fits[name][1], axis=1) for name in names}
        agreed = np.ptp([part.argmax(axis=1) for part in told.values()], axis=0) == 0
        lessons = {}
        for name in names:
            teacher = taught_by(name, told, how.teacher)
            rows = np.flatnonzero(agreed) if how.agree else np.arange(len(teacher))
            prior = {"labels": labels.mean(axis=0), "em": em_prior(teacher), "predicted": teacher.mean(axis=0)}
            share = min(1.0, how.share * number / how.rounds * len(teacher) / max(1, len(rows)))
            lesson = cross_teaching.choose(teacher[rows], prior[how.prior], share=share, task="multiclass")
            lessons[name] = lesson._replace(rows=rows[lesson.rows])
        fits = {name: fit(name, lessons[name]) for name in names}
    return {
        name: lambda features, name=name: softmax(features @ fits[name][0].T + fits[name][1], axis=1)
        for name in names
        if not name.endswith(TWIN)
    }


def draw(data: Embedded, *, fraction: float, seed: int) -> Iterator[tuple[str, str, float]]:
    """Draw labels and yield the balanced accuracy of every variant and branch."""
    rng = np.random.default_rng(seed)
    splits = data.splits.copy()
    codes = group_codes(data.groups, count=len(splits))
    train = np.unique(codes[splits == "train"])
    aside = np.isin(codes, rng.choice(train, len(train) // 3, replace=False)) & (splits == "train")
    splits[aside] = "aside"
    budget = [
        label_subset(
            data.labels,
            candidates=np.flatnonzero(splits == name),
            fraction=fraction,
            groups=data.groups,
            seed=seed,
        )
        for name in ("train", "val")
    ]
    pool, sample = np.concatenate(budget), np.flatnonzero(splits == "train")
    judged = np.concatenate([np.setdiff1d(np.flatnonzero(splits == "val"), budget[1]), np.flatnonzero(aside)])
    rest = np.setdiff1d(sample, budget[0])
    labels, truth = data.labels[pool], data.labels[judged]
    weights = class_weights(torch.from_numpy(labels), task="multiclass").double().numpy()
    scaled, pupils = {}, {}
    for name, part in data.embeddings.items():
        scaling = scalings(part[sample])[0]
        features = (part - scaling.centre) / scaling.scale
        _, axes = np.linalg.eigh(features[sample].T @ features[sample])
        scaled[name] = features @ axes[:, ::-1][:, : cross_teaching.WIDTH]
        if not name.endswith(TWIN):
            pupils[name] = cross_teaching.Pupil(part[pool], part[rest], scaling)
    labelled, unlabelled = ({name: part[rows] for name, part in scaled.items()} for rows in (pool, rest))

    def score(variant: str, models: Any) -> Iterator[tuple[str, str, float]]:
        told = {name: model(scaled[name][judged]) for name, model in models.items()}
        told["mean"] = np.mean(list(told.values()), axis=0)
        for branch, values in told.items():
            yield variant, branch, 100 * balanced_accuracy(values, truth, task="multiclass")

    alone = list(score("labels alone", teach(labelled, unlabelled, labels, weights, replace(BASE, rounds=0))))
    yield from alone
    for variant, how in VARIANTS.items():
        if how.teacher == "twin" and len(scaled) == 2:
            continue
        results = list(score(variant, teach(labelled, unlabelled, labels, weights, how)))
        yield from results
        if how is BASE:
            folds = probe_folds(labels, codes[pool], task="multiclass")
            helps = cross_teaching.judge(pupils, labels, folds, task="multiclass", weights=weights).helps
            yield from (("default with the veto", *entry[1:]) for entry in (results if helps else alone))
            yield "share of draws that the veto lets pass", "mean", 100.0 * helps


def main() -> None:
    """Print a table for each set, start and label fraction: mean difference from the labels alone."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="folder of cass benchmark benchmarks/small.yaml")
    parser.add_argument("--draws", type=int, default=8, help="draws of labels")
    parser.add_argument("--out", type=Path, default=Path("runs/teaching.csv"))
    given = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for name in SETS:
        for method in ("none", "cass"):
            first, second = (
                next(given.run.glob(f"cells/{name}-small-{method}-*s{seed}-*")) / "pretrain" for seed in (0, 1)
            )
            data = embed_run(first, name, twins=second if method == "cass" else None)
            for fraction in FRACTIONS:
                for seed in range(given.draws):
                    entry = {"data": name, "start": method, "labels": f"{100 * fraction:g}%", "draw": seed}
                    for variant, branch, value in draw(data, fraction=fraction, seed=seed):
                        rows.append(entry | {"variant": variant, "branch": branch, "value": value})
                table = pd.DataFrame(rows)
                write_text(given.out, table.to_csv(index=False))
    means = table[table["branch"] == "mean"].pivot_table(
        index="variant", columns=["data", "start", "labels"], values="value", sort=False
    )
    print(means.round(1).to_string())


if __name__ == "__main__":
    main()
