"""Do referral, prediction sets, calibration and operating points keep what they promise on new patients?

Fine-tunes the pretraining runs of `cass benchmark benchmarks/small.yaml` by linear probe and evaluates them on
their test images, for three sets and all seeds that are there. Finished runs are kept, so it can be continued.
Usage: python benchmarks/safeguards.py runs/small --out runs/safeguards     (writes safeguards.md there)
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import cass
from cass.config.pretrain import PretrainConfig
from cass.evaluation.calibration import expected_calibration_error
from cass.evaluation.conformal import prediction_sets
from cass.evaluation.ensemble import ensemble
from cass.evaluation.operating import threshold_for
from cass.evaluation.resampling import GroupDraws, Resampled, Score, difference, resample
from cass.evaluation.selection import doubt_of
from cass.files import write_text
from cass.reports.tables import Cells, percent
from cass.runs.folder import read_config
from cass.runs.outcomes import read_facts
from cass.runs.predictions import mean_temperature

SETS = ("brain-tumour-mri", "skin-lesions", "breast-ultrasound")
FRACTIONS = (0.1, 1.0)
COVERED = 0.8
SENSITIVITY = 0.9
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Answered:
    """A fine-tuned run with its answers on N test images.

    Attributes:
        branches: (N, K) of each branch.
        targets: (N, K) of 0 and 1.
        units: N groups, or the images themselves.
        classes: K names.
        least: Probability from which on a class belongs to a prediction set, or None.
        called: Probability from which on each class is called, or None.
        temperatures: Temperature of each branch.
        mean_temperature: That of their mean.
    """

    branches: Mapping[str, Floats]
    targets: NDArray[np.uint8]
    units: tuple[str, ...]
    classes: tuple[str, ...]
    least: float | None
    called: tuple[float | None, ...]
    temperatures: Mapping[str, float]
    mean_temperature: float

    @property
    def mean(self) -> Floats:
        """(N, K) mean of both branches with its temperature, which is what `cass predict` answers."""
        return ensemble(self.branches, task="multiclass", temperature=self.mean_temperature)


def answered(pretraining: Path, out: Path, *, fraction: float, seed: int) -> Answered:
    """Fine-tune and evaluate a run unless that is done, and read what it answered."""
    labels = str(read_config(pretraining, PretrainConfig, written_by="cass pretrain").data)
    if not (out / "summary.json").is_file():
        cass.finetune(pretraining, labels=labels, out=out, head="linear", label_fraction=fraction, seed=seed)
    if not (out / "evaluation/test/report.json").is_file():
        cass.evaluate(out, labels=labels)
    facts = read_facts(out)
    assert facts.held_out is not None
    held, summary = facts.held_out, facts.summary
    return Answered(
        branches=facts.branch_probabilities,
        targets=facts.targets,
        units=tuple(facts.groups.get(name) or name for name in facts.images),
        classes=facts.classes,
        least=summary["safeguards"]["least"],
        called=tuple(threshold_for(held, index, sensitivity=SENSITIVITY) for index in range(len(facts.classes))),
        temperatures={name: entry["temperature"] for name, entry in summary["branches"].items()},
        mean_temperature=mean_temperature(summary),
    )


def weighted(draws: Floats, values: NDArray[Any], chosen: NDArray[np.bool_]) -> Score | None:
    """Average values over chosen images, as they are and in each resample of the groups."""
    if not chosen.any():
        return None
    weights = draws[:, chosen]
    total = weights.sum(axis=1)
    with np.errstate(invalid="ignore"):
        return Score(float(values[chosen].mean()), (weights @ values[chosen].astype(np.float64)) / total)


def least_doubtful(doubt: Floats) -> NDArray[np.bool_]:
    """Choose the 80% of images that are least in doubt."""
    kept = np.zeros(len(doubt), dtype=bool)
    kept[np.argsort(doubt, kind="stable")[: round(COVERED * len(doubt))]] = True
    return kept


def referral(run: Answered, draws: Floats) -> dict[str, Score | None]:
    """Measure the errors that stay when a fifth of the images is referred, by several rules."""
    wrong = run.mean.argmax(axis=1) != run.targets.argmax(axis=1)
    first, second = run.branches.values()
    doubts = {
        "doubt (`cass predict`)": doubt_of(dict(run.branches), task="multiclass"),
        "disagreement alone": np.abs(first - second).sum(axis=1),
        "confidence of the mean": -run.mean.max(axis=1),
    } | {f"confidence of the {name}": -part.max(axis=1) for name, part in run.branches.items()}
    found = {"all images": weighted(draws, wrong, np.ones(len(wrong), dtype=bool))}
    found |= {name: weighted(draws, wrong, least_doubtful(doubt)) for name, doubt in doubts.items()}
    for name, part in run.branches.items():
        own = part.argmax(axis=1) != run.targets.argmax(axis=1)
        found[f"the {name} alone, by its confidence"] = weighted(draws, own, least_doubtful(-part.max(axis=1)))
    return found


def coverage(run: Answered, draws: Floats) -> dict[str, Score | None]:
    """Measure how often prediction sets hold the label: each group weighing alike, and of each class."""
    inside = prediction_sets(run.mean, run.least)
    right = (inside & (run.targets > 0)).any(axis=1)
    _, inverse, sizes = np.unique(run.units, return_inverse=True, return_counts=True)
    shares = 1 / sizes[inverse]
    alike = draws * shares
    found: dict[str, Score | None] = {
        "a patient": Score(float(np.average(right, weights=shares)), (alike @ right) / alike.sum(axis=1)),
        "an image": weighted(draws, right, np.ones(len(right), dtype=bool)),
    }
    for index, name in enumerate(run.classes):
        found[f"class {name}"] = weighted(draws, right, run.targets[:, index] > 0)
    return found


def found_share(run: Answered, draws: Floats) -> dict[str, Score | None]:
    """Measure which share of each class is called at its operating point."""
    return {
        name: None
        if (threshold := run.called[index]) is None
        else weighted(draws, run.mean[:, index] >= threshold, run.targets[:, index] > 0)
        for index, name in enumerate(run.classes)
    }


def calibration(run: Answered) -> dict[str, float]:
    """Compute the calibration error of the mean: no temperature, those of the branches, and its own, too."""

    def error(mean: Floats) -> float:
        return expected_calibration_error(np.log(np.clip(mean, 1e-12, 1)), run.targets, task="multiclass")

    before = []
    for name, part in run.branches.items():
        powers = np.clip(part, 1e-12, 1) ** run.temperatures[name]
        before.append(powers / powers.sum(axis=1, keepdims=True))
    return {
        "without": error(np.mean(before, axis=0)),
        "branches": error(np.mean(list(run.branches.values()), axis=0)),
        "both": error(run.mean),
    }


def summed(runs: Mapping[int, Answered], measure: Callable[[Answered, Floats], dict[str, Score | None]]) -> Any:
    """Apply a measure to the runs of all seeds; returns the scores by name, one a seed."""
    draws = GroupDraws({"set": sorted({unit for run in runs.values() for unit in run.units})})
    found = [measure(run, draws.weights("set", run.units)) for run in runs.values()]
    return {name: [entry[name] for entry in found] for name in found[0]}


def over_seeds(scores: Sequence[Score | None]) -> Resampled:
    """Average over seeds; seeds and groups are resampled."""
    return resample([scores], sources=["set"])


def tables(runs: Mapping[tuple[str, float], Mapping[int, Answered]]) -> list[Cells]:
    """Lay out every measure of every set and label fraction."""
    flags, sets, points, errors = [], [], [], []
    for (data, fraction), own in runs.items():
        place = [data, f"{100 * fraction:g}%"]
        scores = summed(own, referral)
        first = next(name for name in scores if name.startswith("doubt"))
        for name, entry in scores.items():
            shown = percent(over_seeds(entry).interval)
            less = [difference(one, two) for one, two in zip(entry, scores[first], strict=True)]
            gain = "-" if name == first else percent(over_seeds(less).interval, sign="+")
            flags.append([*place, name, shown, gain])
        for name, entry in summed(own, coverage).items():
            sets.append([*place, name, percent(over_seeds(entry).interval)])
        size = np.mean([prediction_sets(run.mean, run.least).sum(axis=1).mean() for run in own.values()])
        sets.append(
            [*place, "mean number of classes in a set", f"{size:.2f} of {len(next(iter(own.values())).classes)}"]
        )
        for name, entry in summed(own, found_share).items():
            points.append([*place, name, percent(over_seeds(entry).interval)])
        both = [calibration(run) for run in own.values()]
        means = [f"{np.mean([entry[key] for entry in both]):.3f}" for key in ("without", "branches", "both")]
        errors.append([*place, *means])
    where = ["set", "labels"]
    return [
        Cells(
            "Error when the fifth of the images that is most in doubt is referred, %",
            [*where, "referred by", "error on the rest", "more than by doubt, points"],
            flags,
        ),
        Cells("Prediction sets of 90%: how often they hold the label, %", [*where, "of", "coverage"], sets),
        Cells(f"Called at a sensitivity of {SENSITIVITY:g}: share found, %", [*where, "class", "found"], points),
        Cells(
            "Expected calibration error of the mean of both on the test images",
            [*where, "no temperature", "temperatures of the branches", "and of the mean"],
            errors,
        ),
    ]


def main() -> None:
    """Fine-tune what is missing, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="folder of cass benchmark benchmarks/small.yaml")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    runs: dict[tuple[str, float], dict[int, Answered]] = {}
    for data in SETS:
        for seed in range(5):
            cells = sorted(given.run.glob(f"cells/{data}-small-cass-*-s{seed}-*/pretrain/summary.json"))
            for fraction in FRACTIONS if cells else ():
                out = given.out / f"{data}-{fraction:g}-s{seed}"
                found = answered(cells[0].parent, out, fraction=fraction, seed=seed)
                runs.setdefault((data, fraction), {})[seed] = found
    seeds = {f"{data}, {100 * fraction:g}%": sorted(own) for (data, fraction), own in runs.items()}
    text = "\n\n".join(f"## {cells.title}\n\n{cells.markdown()}" for cells in tables(runs))
    text = f"Seeds: {seeds}\n\n{text}\n"
    write_text(given.out / "safeguards.md", text)
    print(text)


if __name__ == "__main__":
    main()
