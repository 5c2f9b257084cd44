"""Compare the methods of a benchmark on many draws of labels: a draw costs a second, a pretraining minutes.

Every pretrained network of a benchmark is probed with other draws of 1% and 10% of the labels, and once with all.
Balanced accuracy is averaged over the draws; it is that of the test images, or where the benchmark looks at
validation images, of those outside of the draw. Each seed has its own draws; intervals resample seeds and test
groups together. What the folder `draws` of the run holds is not probed again.
Usage: python benchmarks/draws.py benchmarks/small.yaml runs/small [--draws 10]
Writes draws.md and a picture of the gain of pretraining there.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from frozen import Arrays, frozen_images, kept, tuning_settings
from rivals import rival_tables
from targets import BRANCHES, PRETRAINING, Arm, Comparison, draw_gains, gain_table, measure

from cass.benchmarking.cells import PRETRAIN, Benchmark, Cell
from cass.benchmarking.outcome import METRIC, Outcome
from cass.benchmarking.resolving import resolve_benchmark
from cass.benchmarking.results import collect
from cass.benchmarking.steps import Step
from cass.config.benchmark import BenchmarkConfig
from cass.evaluation.resampling import Answers, GroupDraws, Score
from cass.files import write_text
from cass.runs.folder import CHECKPOINTS

PROTOCOL = "probe"
FIRST = 1000
"""Seed of the first draw of the benchmark's seed 0; those of seed 1 begin at twice as much."""
NOT_ASKED = 255


def seeds_of(fraction: float, draws: int, *, seed: int) -> list[int]:
    """Return the seeds of the draws of a label fraction; all labels can be drawn once.

    Each seed of the benchmark has draws of its own, so that intervals that resample seeds resample draws too.
    """
    first = FIRST * (1 + seed)
    return list(range(first, first + (draws if fraction < 1 else 1)))


def probe(cell: Cell, draws: int, *, split: str) -> Arrays:
    """Probe the branches of a cell.

    Returns:
        ``branches`` (B,), ``targets`` (N,), ``units`` (N,) and, by label fraction, the predicted classes
        (draws, B, N), with :data:`NOT_ASKED` for the labelled images of a draw.
    """
    start = cell.folder / PRETRAIN
    images = frozen_images(cell, start, splits=tuple(dict.fromkeys(("train", "val", split))))
    asked = np.flatnonzero(images.inputs.splits == split)
    manifest, embeddings = images.inputs.manifest, images.embed(start)
    found: Arrays = {
        "branches": np.array(list(embeddings)),
        "targets": manifest.targets[asked].argmax(axis=1).astype(np.uint8),
        "units": np.array([cell.data.unit(manifest.images[row]) for row in asked]),
    }
    for settings in tuning_settings(cell, start, protocol=PROTOCOL):
        answers = []
        for seed in seeds_of(settings.label_fraction, draws, seed=cell.config.seed):
            logits, labelled = images.probes(settings.model_copy(update={"seed": seed}), embeddings)
            predicted = np.stack([part[asked].argmax(axis=1) for part in logits.values()]).astype(np.uint8)
            predicted[:, np.isin(asked, labelled)] = NOT_ASKED
            answers.append(predicted)
        found[f"{settings.label_fraction:g}"] = np.stack(answers)
    print(f"{cell.name} done.", flush=True)
    return found


def probed(cell: Cell, folder: Path, draws: int, *, split: str) -> Arrays | None:
    """Return what :func:`probe` found, now or before; None for a cell without networks."""
    path = folder / f"{cell.name}-{draws}.npz"
    networks = list((cell.folder / PRETRAIN / CHECKPOINTS).glob("*.safetensors"))
    if not path.is_file() and not (Step(cell, None).done and networks):
        return None
    return kept(path, lambda: probe(cell, draws, split=split), of=networks)


def averaged(parts: Sequence[Score]) -> Score:
    """Average scores on the same images."""
    return Score(float(np.mean([part.value for part in parts])), np.mean([part.draws for part in parts], axis=0))


def outcome_of(benchmark: Benchmark, draws: int) -> Outcome:
    """Return what the benchmark would have found with many draws of labels."""
    spec = benchmark.spec
    there = {}
    for name, cell in benchmark.cells.items():
        found = probed(cell, benchmark.out / "draws", draws, split=spec.split)
        if found is not None:
            there[name] = found
    units: dict[str, set[str]] = {}
    for name, found in there.items():
        units.setdefault(benchmark.cells[name].data.origin, set()).update(found["units"].tolist())
    resamples = GroupDraws({source: sorted(names) for source, names in units.items()})
    rows, scores = [], {}
    for point in benchmark.points:
        found = there.get(point.cell)
        if point.place.protocol != PROTOCOL or found is None:
            continue
        answered = found[f"{point.place.label_fraction:g}"]
        if (answered == NOT_ASKED).all():  # all validation images are labelled
            continue
        cell, key = benchmark.cells[point.cell], f"{point.cell}/{point.place.label_fraction:g}"
        count = 1 + int(max(found["targets"].max(), answered[answered != NOT_ASKED].max()))
        for number, branch in enumerate(found["branches"].tolist()):
            parts = []
            for predicted in answered[:, number]:
                asked = predicted != NOT_ASKED
                answers = Answers(
                    predicted=np.eye(count, dtype=np.bool_)[predicted[asked]],
                    targets=np.eye(count, dtype=np.uint8)[found["targets"][asked]],
                    units=tuple(found["units"][asked].tolist()),
                    task="multiclass",
                )
                parts.append(resamples.score(cell.data.origin, answers))
            scores[key, branch] = averaged(parts)
            value = {"metric": METRIC, "value": scores[key, branch].value, "cell": key}
            rows.append(point.place._asdict() | {"branch": branch} | value)
    return replace(collect(benchmark), runs=pd.DataFrame(rows), scores=scores)


def main() -> None:
    """Compare the methods of a benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("spec", type=Path)
    parser.add_argument("run", type=Path, help="folder of the benchmark")
    parser.add_argument("--draws", type=int, default=10)
    given = parser.parse_args()
    compare(given.spec, given.run, draws=given.draws)


def compare(spec: Path, run: Path, *, draws: int) -> None:
    """Probe what is new, write and print the tables.

    Args:
        spec: File of the benchmark.
        run: Its folder.
        draws: Draws of each label fraction.
    """
    torch.set_num_threads(1)
    logging.getLogger("cass").setLevel(logging.WARNING)
    outcome = outcome_of(resolve_benchmark(BenchmarkConfig(spec=spec, out=run)), draws)
    tables = rival_tables(outcome)
    if "none" in outcome.methods:
        asked = Comparison(
            "gain-draws",
            f"Pretraining over no pretraining, linear probe, {draws} draws of labels, mean over both branches",
            Arm(outcome.claim, PROTOCOL),
            Arm("none", PROTOCOL),
            BRANCHES,
            PRETRAINING,
        )
        gains = measure(outcome, asked)
        tables.append(gain_table(asked, gains))
        draw_gains(asked, gains, run)
    text = "\n\n".join(f"## {cells.title}\n\n{cells.markdown()}" for cells in tables) + "\n"
    write_text(run / "draws.md", text)
    print(text)


if __name__ == "__main__":
    main()
