"""Show from how many images and steps pretraining gains on random initialisation.

A row for each set and number of epochs of fewest.yaml: pretraining minus no pretraining in balanced accuracy,
linear probe, mean over both branches, many draws of labels as in draws.py. Intervals resample seeds and test
groups.
Usage: python benchmarks/fewest.py runs/fewest [--draws 10]     (writes fewest.md there)
"""

from __future__ import annotations

import argparse
import json
import logging
import math
from dataclasses import replace
from pathlib import Path

import torch
from draws import PROTOCOL, outcome_of
from targets import BRANCHES, Arm, compare

from cass.benchmarking.cells import PRETRAIN, Benchmark
from cass.benchmarking.outcome import Outcome, share
from cass.benchmarking.resolving import resolve_benchmark
from cass.config.benchmark import BenchmarkConfig
from cass.files import write_text
from cass.reports.tables import Cells, percent
from cass.runs.folder import SUMMARY

SPEC = Path(__file__).with_name("fewest.yaml")


def sizes(benchmark: Benchmark) -> dict[tuple[str, int], tuple[int, int]]:
    """Return images and steps of each finished pretraining, by data set and epochs of the file."""
    found = {}
    for point in benchmark.points:
        cell, place = benchmark.cells[point.cell], point.place
        path = cell.folder / PRETRAIN / SUMMARY
        if cell.pretraining and path.is_file():
            summary = json.loads(path.read_text(encoding="utf-8"))
            images = round(summary["images_seen"] / summary["epochs"])
            found[place.data, place.epochs] = images, summary["epochs"] * math.ceil(images / place.batch_size)
    return found


def fewest_table(outcome: Outcome, sizes: dict[tuple[str, int], tuple[int, int]]) -> Cells:
    """Lay out the gain of pretraining by images and steps."""
    fractions = sorted(set(outcome.runs["label_fraction"]))
    rows = []
    for (data, epochs), (images, steps) in sorted(sizes.items(), key=lambda item: (item[0][0][:3], item[1])):
        part = replace(outcome, runs=outcome.runs[outcome.runs["epochs"] == epochs])
        gains = [
            compare(
                part,
                Arm(outcome.claim, PROTOCOL),
                Arm("none", PROTOCOL),
                branches=BRANCHES,
                fractions=[fraction],
                data=[data],
            )
            for fraction in fractions
        ]
        cells = [percent(gain.interval, sign="+") for gain in gains]
        rows.append([data, f"{images:,}", f"{steps:,}", *cells, str(max(gain.seeds for gain in gains))])
    head = ["data", "images", "steps", *(f"{share(fraction)}, points" for fraction in fractions), "seeds"]
    title = "Pretraining over no pretraining, from random initialisation, linear probe, mean over both branches"
    return Cells(title, head, rows)


def main() -> None:
    """Probe what is new, write and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="folder of cass benchmark benchmarks/fewest.yaml")
    parser.add_argument("--draws", type=int, default=10)
    given = parser.parse_args()
    torch.set_num_threads(1)
    logging.getLogger("cass").setLevel(logging.WARNING)
    benchmark = resolve_benchmark(BenchmarkConfig(spec=SPEC, out=given.run))
    table = fewest_table(outcome_of(benchmark, given.draws), sizes(benchmark))
    text = f"## {table.title}\n\n{table.markdown()}\n"
    write_text(given.run / "fewest.md", text)
    print(text)


if __name__ == "__main__":
    main()
