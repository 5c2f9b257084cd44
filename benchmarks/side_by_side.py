"""Both networks' frozen embeddings side by side, as a baseline: one linear probe of what the two start with.

For each set, seed and label fraction of a benchmark, the embeddings of both networks are joined, each scaled so
that both count alike, and probed as `cass finetune --head linear` probes a branch, inside the same label budget.
The answers on the test images are compared with those in the benchmark's folder: of the method named by `claim`,
and without pretraining, each the mean of both branches' probes. Differences resample seeds and test groups. What
the folder `side-by-side` of the run holds is not probed again.
Usage: python benchmarks/side_by_side.py benchmarks/small.yaml runs/small [--seeds 0,1,2]   (side-by-side.md)
"""

from __future__ import annotations

import argparse
import logging
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch
from frozen import Arrays, Embeddings, frozen_images, kept, tuning_settings
from numpy.typing import NDArray

from cass.benchmarking.cells import Cell
from cass.benchmarking.outcome import Outcome, score_cells, scores, share
from cass.benchmarking.resolving import resolve_benchmark
from cass.benchmarking.results import collect
from cass.benchmarking.starting_run import write_starting_run
from cass.config.benchmark import BenchmarkConfig
from cass.evaluation.probe import scalings
from cass.evaluation.resampling import Answers, GroupDraws, difference, resample
from cass.files import write_text
from cass.reports.tables import Cells, percent

PROTOCOL = "probe"
Place = tuple[str, float, int]
"""Data set, label fraction and seed."""


def joined(parts: dict[str, Embeddings], train: NDArray[np.bool_]) -> Embeddings:
    """Join the embeddings of both networks: (N, D + E), each part with a mean squared norm of 1."""
    scaled = [scalings(raw[train])[0].apply(raw) for raw in parts.values()]
    return np.concatenate([part / np.sqrt((part[train] ** 2).sum(axis=1).mean()) for part in scaled], axis=1)


def probe(cell: Cell, start: Path) -> Arrays:
    """Probe the joined embeddings of a cell without pretraining.

    Returns:
        ``targets`` (N, K), ``units`` (N,) and, by label fraction, the predicted classes (N,) of the test images.
    """
    cell.data.write()
    write_starting_run(cell.config.model_copy(update={"out": start}))
    images = frozen_images(cell, start, splits=("train", "val", "test"))
    manifest, splits = images.inputs.manifest, images.inputs.splits
    embeddings = joined(images.embed(start), splits == "train")
    test = splits == "test"
    found: Arrays = {
        "targets": manifest.targets[test],
        "units": np.array([cell.data.unit(manifest.images[row]) for row in np.flatnonzero(test)]),
    }
    for tuning in tuning_settings(cell, start, protocol=PROTOCOL):
        logits = images.probes(tuning, {"both": embeddings})[0]["both"]
        found[f"{tuning.label_fraction:g}"] = logits[test].argmax(axis=1)
    return found


def answers_of(cell: Cell, folder: Path) -> dict[float, Answers]:
    """Return the test answers of a cell by label fraction; what the folder holds is not probed again."""
    with tempfile.TemporaryDirectory() as start:
        found = kept(folder / f"{cell.name}.npz", lambda: probe(cell, Path(start) / cell.name))
    targets, units = found.pop("targets"), tuple(found.pop("units").tolist())
    return {
        float(fraction): Answers(
            predicted=np.eye(targets.shape[1], dtype=np.bool_)[predicted],
            targets=targets,
            units=units,
            task="multiclass",
        )
        for fraction, predicted in found.items()
    }


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
    parser.add_argument("--seeds", help="use these seeds only, separated by commas")
    given = parser.parse_args()
    torch.set_num_threads(2)
    logging.getLogger("cass").setLevel(logging.WARNING)
    benchmark = resolve_benchmark(BenchmarkConfig(spec=given.spec, out=given.run))
    seeds = set(benchmark.spec.seeds if not given.seeds else map(int, given.seeds.split(",")))
    cells = [cell for cell in benchmark.cells.values() if not cell.pretraining and cell.config.seed in seeds]
    found: dict[Place, Answers] = {}
    for number, cell in enumerate(cells, start=1):
        for fraction, answers in answers_of(cell, given.run / "side-by-side").items():
            found[cell.data.name, fraction, cell.config.seed] = answers
        print(f"{number} of {len(cells)} sets and seeds done.", flush=True)
    table = comparison(collect(benchmark), found)
    text = f"{table.title}:\n\n{table.markdown()}\n"
    write_text(given.run / "side-by-side.md", text)
    print(text)


if __name__ == "__main__":
    main()
