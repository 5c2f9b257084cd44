"""Both networks' frozen embeddings side by side, as a baseline: one linear probe of what the two start with.

For each set, seed and label fraction of a benchmark, the embeddings of both networks are joined, each scaled so
that both count alike, and probed as `cass finetune --head linear` probes a branch, inside the same label budget.
The answers on the test images are compared with those in the benchmark's folder: of the method named by `claim`,
and without pretraining, each the mean of both branches' probes. Differences resample seeds and test groups.
Usage: python benchmarks/side_by_side.py benchmarks/small.yaml runs/small    (writes side-by-side.md there)
"""

from __future__ import annotations

import argparse
import logging
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from cass.auditing.kept_pairs import near_families
from cass.benchmarking.cells import Cell
from cass.benchmarking.outcome import Outcome, score_cells, scores, share
from cass.benchmarking.resolving import resolve_benchmark
from cass.benchmarking.results import collect
from cass.benchmarking.starting_run import write_starting_run
from cass.config.benchmark import BenchmarkConfig
from cass.config.finetune import FinetuneConfig
from cass.data.splits.resolve import read_splits
from cass.data.store.dataset import StoredImages
from cass.evaluation.probe import scalings
from cass.evaluation.resampling import Answers, GroupDraws, difference, resample
from cass.files import write_text
from cass.models.checkpoints import load_branch
from cass.reports.tables import Cells, percent
from cass.resolve.finetune import labelled_manifest
from cass.runs.folder import SPLITS_FILE, branch_files
from cass.runs.inputs import decode, make_plan
from cass.runs.label_budget import labelled_data, labelled_images
from cass.training.probing import fit_to_labels
from cass.training.stored_embeddings import embed_finite

PROTOCOL = "probe"
Embeddings = NDArray[np.float64]
Place = tuple[str, float, int]
"""Data set, label fraction and seed."""


def joined(start: Path, stored: StoredImages, train: NDArray[np.bool_]) -> Embeddings:
    """Embed images with both networks: (N, D + E), each network's part with a mean squared norm of 1."""
    parts = []
    for path in branch_files(start).values():
        raw = embed_finite(load_branch(path), stored, device=torch.device("cpu"))
        part = scalings(raw[train])[0].apply(raw)
        parts.append(part / np.sqrt((part[train] ** 2).sum(axis=1).mean()))
    return np.concatenate(parts, axis=1)


def answers_of(cell: Cell, start: Path) -> dict[float, Answers]:
    """Probe the joined embeddings of a cell without pretraining; returns the test answers by label fraction."""
    config = cell.config.model_copy(update={"out": start})
    cell.data.write()
    write_starting_run(config)
    tunings = [tuning for tuning in cell.tunings.values() if tuning.protocol == PROTOCOL]
    settings = [FinetuneConfig(**tuning.settings | {"run": start, "out": start / "none"}) for tuning in tunings]
    plan = make_plan(
        labelled_manifest(settings[0].labels, settings[0]),
        seed=config.seed,
        known=read_splits(start / SPLITS_FILE),
        families=near_families,
    )
    size = {"image_size": config.image_size, "in_chans": config.in_chans}
    inputs = decode(plan, plan.rows("train", "val", "test"), **size, purpose="probes", cache=config.cache)
    train, test = (inputs.splits == name for name in ("train", "test"))
    everything = StoredImages(inputs.images, np.arange(len(inputs.manifest)))
    embeddings = joined(start, everything, train)
    places = {image: row for row, image in enumerate(inputs.manifest.images)}
    found = {}
    for tuning in settings:
        budget, labelled = labelled_images(tuning, config, plan)
        rows = [[places[budget.manifest.images[row]] for row in part] for part in labelled]
        parts = dict(zip(("train", "held", "sample"), (embeddings[part] for part in rows), strict=True))
        logits = fit_to_labels(tuning, labelled_data(budget, labelled), **parts).logits(embeddings)
        found[tuning.label_fraction] = Answers(
            predicted=np.eye(logits.shape[1], dtype=np.bool_)[logits[test].argmax(axis=1)],
            targets=inputs.manifest.targets[test],
            units=tuple(cell.data.unit(inputs.manifest.images[row]) for row in np.flatnonzero(test)),
            task=inputs.manifest.task,
        )
    return found


def comparison(outcome: Outcome, found: dict[Place, Answers]) -> Cells:
    """Lay out the accuracy of the joined embeddings, and its difference from both methods, at each fraction."""
    units: dict[str, set[str]] = defaultdict(set)
    for (data, _, _), answers in found.items():
        units[outcome.sources[data]].update(answers.units)
    draws = GroupDraws({source: sorted(names) for source, names in units.items()})
    own = {place: draws.score(outcome.sources[place[0]], answers) for place, answers in found.items()}
    table = scores(outcome)
    table = table[(table["protocol"] == PROTOCOL) & (table["branch"] == "mean")]
    others = {name: score_cells(outcome, table[table["method"] == name]) for name in (outcome.claim, "none")}
    every = tuple(dict.fromkeys(data for data, _, _ in found))
    rows = []
    for fraction in sorted({fraction for _, fraction, _ in found}):
        for name, sets in {"all": every, "confirmation sets": outcome.confirmation}.items():
            seeds = sorted({seed for _, _, seed in found})
            grid = [(data, [own.get((data, fraction, seed)) for seed in seeds]) for data in sets]
            sources = [outcome.sources[data] for data, _ in grid]
            texts = [percent(resample([part for _, part in grid], sources=sources).interval)]
            for cells in others.values():
                lead = [
                    [
                        difference(cells.get((data, "mean", fraction), {}).get(seed), score)
                        for seed, score in zip(seeds, part, strict=True)
                    ]
                    for data, part in grid
                ]
                texts.append(percent(resample(lead, sources=sources).interval, sign="+"))
            rows.append([share(fraction), name, *texts])
    head = ["labels", "data", "side by side, %", *(f"{name}, points more" for name in others)]
    return Cells(
        "One probe of both networks' frozen embeddings, beside the mean of both branches' probes", head, rows
    )


def main() -> None:
    """Write and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("spec", type=Path)
    parser.add_argument("run", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(2)
    logging.getLogger("cass").setLevel(logging.WARNING)
    benchmark = resolve_benchmark(BenchmarkConfig(spec=given.spec, out=given.run))
    cells = [cell for cell in benchmark.cells.values() if not cell.pretraining]
    found: dict[Place, Answers] = {}
    with tempfile.TemporaryDirectory() as folder:
        for number, cell in enumerate(cells, start=1):
            for fraction, answers in answers_of(cell, Path(folder) / cell.name).items():
                found[cell.data.name, fraction, cell.config.seed] = answers
            print(f"{number} of {len(cells)} sets and seeds done.", flush=True)
    table = comparison(collect(benchmark), found)
    text = f"{table.title}:\n\n{table.markdown()}\n"
    write_text(given.run / "side-by-side.md", text)
    print(text)


if __name__ == "__main__":
    main()
