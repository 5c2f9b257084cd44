"""Branches label the unlabelled training images for each other before they are fine-tuned."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cass.config.finetune import TuneSettings
from cass.data.store.dataset import StoredImages
from cass.evaluation.cross_teaching import Judgement, Lesson, Pupil, judge, teach
from cass.evaluation.logistic import Floats
from cass.evaluation.probe import Classifier, Split, probe_folds
from cass.training.labelled import LabelledImages, PseudoLabels
from cass.training.probing import ProbedBranch, probe_weights
from cass.types import BranchName

log = logging.getLogger("cass")

LEAST_LABELS = 30
"""Labels of training and validation images below which pseudo-labels are not used."""

FEW_GROUPS = 20
"""Groups of labelled images up to which the check leaves out one group at a time."""


@dataclass(frozen=True)
class Teaching:
    """What came of it.

    Attributes:
        probed: The branches; with pseudo-labels, their probes are fitted to them too.
        pseudo: Pseudo-labels of each branch; empty where none are used.
        summary: What stands in the run's summary.
    """

    probed: dict[BranchName, ProbedBranch]
    pseudo: dict[BranchName, PseudoLabels]
    summary: dict[str, Any]


def teach_branches(
    config: TuneSettings, probed: Mapping[BranchName, ProbedBranch], *, data: LabelledImages
) -> Teaching:
    """Let both branches label images for each other, unless that does not help.

    Args:
        config: Settings of fine-tuning.
        probed: The branches with their linear probes.
        data: The images. Only the labels of the budget are read, and no test image is there.

    Returns:
        The branches with their probes, and the pseudo-labels.
    """
    started = time.monotonic()
    reason = _obstacle(config, probed, data)
    if reason:
        return _without(probed, data, reason)
    counted = _counted(config, data, with_validation=data.few_validation)
    judgement = judge(_pupils(probed), data.labels, _held_out(data), task=data.task, weights=counted)
    if config.unlabelled == "auto" and not judgement.helps:
        return _without(probed, data, _verdict(judgement), judgement)
    pooled = _pooled(probed)
    fitted = len(data.labels) if pooled else len(data.train)
    counted = _counted(config, data, with_validation=pooled)
    taught = teach(_pupils(probed, count=fitted), data.labels[:fitted], task=data.task, weights=counted)
    pseudo = {name: _pseudo_labels(data, lesson) for name, lesson in taught.lessons.items()}
    counts = {name: len(lesson.rows) for name, lesson in taught.lessons.items()}
    text = (
        f"Each branch also learns from the other's labels for unlabelled training images "
        f"({', '.join(f'{name} {count}' for name, count in counts.items())} of {len(data.unlabelled)}): "
        f"{_verdict(judgement)}."
    )
    log.info("%s", text)
    summary = _findings(data, judgement) | {"used": True, "reason": text, "pseudo_labels": counts}
    after = {
        name: _taught_branch(
            part, taught.classifiers[name], judgement.logits.get(name), judgement, start=len(data.train)
        )
        for name, part in probed.items()
    }
    return Teaching(after, pseudo, summary | {"seconds": round(time.monotonic() - started, 3)})


def _obstacle(config: TuneSettings, probed: Mapping[BranchName, ProbedBranch], data: LabelledImages) -> str:
    """Say why nothing can be taught, or nothing."""
    if config.unlabelled == "off":
        return "--unlabelled is off"
    if len(probed) < 2:
        return "the pretraining run has one branch, and it takes two"
    if not len(data.unlabelled):
        return "every training image is labelled"
    if config.unlabelled == "auto" and len(data.labels) < LEAST_LABELS:
        return f"{len(data.labels)} labels are too few to tell whether that would help"
    return ""


def _without(
    probed: Mapping[BranchName, ProbedBranch],
    data: LabelledImages,
    reason: str,
    judgement: Judgement | None = None,
) -> Teaching:
    """Go on with the labels alone."""
    text = f"The unlabelled training images are not used: {reason}."
    if judgement is not None:
        log.info("%s", text)
    return Teaching(dict(probed), {}, _findings(data, judgement) | {"used": False, "reason": text})


def _verdict(judgement: Judgement) -> str:
    """Say what the check on held-out labels found."""
    if np.isnan(judgement.alone):
        return "there are too few labels to tell whether that would help"
    losses = (
        f"log loss {judgement.taught:.3f}, from the labels alone {judgement.alone:.3f}, by guessing "
        f"{judgement.guessing:.3f}"
    )
    return f"on {len(judgement.rows)} labelled images held out, {losses}"


def _findings(data: LabelledImages, judgement: Judgement | None) -> dict[str, Any]:
    """Sum up for the run's summary."""
    found = {"unlabelled": len(data.unlabelled)}
    if judgement is None:
        return found
    losses = {
        "log_loss_alone": judgement.alone,
        "log_loss_taught": judgement.taught,
        "standard_error": judgement.error,
    }
    numbers = {name: value if np.isfinite(value) else None for name, value in losses.items()}
    return found | {"held_out": len(judgement.rows)} | numbers


def _counted(config: TuneSettings, data: LabelledImages, *, with_validation: bool) -> Floats:
    """Return the class weights (K,) of the probes, 1 everywhere where classes are not balanced."""
    weights = probe_weights(config, data, with_validation=with_validation)
    return np.ones(data.labels.shape[1]) if weights is None else weights


def _pooled(probed: Mapping[BranchName, ProbedBranch]) -> bool:
    return all(part.pooled for part in probed.values())


def _held_out(data: LabelledImages) -> list[Split]:
    """Return what is held out: parts of all labelled images where few are for validation, else those."""
    if data.few_validation:
        groups = np.unique(data.codes)
        if 2 <= len(groups) <= FEW_GROUPS:  # each fit keeps as many labels as can be
            return [
                Split(np.flatnonzero(data.codes != code), np.flatnonzero(data.codes == code)) for code in groups
            ]
        return probe_folds(data.labels, data.codes, task=data.task)
    count = len(data.train)
    return [Split(np.arange(count), np.arange(count, len(data.labels)))]


def _pupils(probed: Mapping[BranchName, ProbedBranch], *, count: int | None = None) -> dict[BranchName, Pupil]:
    """Return what the branches bring, with the first labelled images or all."""
    return {name: Pupil(part.labelled[:count], part.unlabelled, part.isotropic) for name, part in probed.items()}


def _taught_branch(
    part: ProbedBranch, classifier: Classifier, held_by_folds: Floats | None, judgement: Judgement, start: int
) -> ProbedBranch:
    """Give a branch the probe that was fitted to labels and pseudo-labels; validation images begin at a row."""
    held, rows = classifier.logits(part.labelled[start:]), np.arange(start, len(part.labelled))
    if part.pooled:  # it has seen the validation images: what folds held out stands for them
        held, rows = held[:0] if held_by_folds is None else held_by_folds, judgement.rows
    return replace(
        part,
        probe=replace(part.probe, weight=classifier.weight, bias=classifier.bias, held=held, held_rows=rows),
    )


def _pseudo_labels(data: LabelledImages, lesson: Lesson) -> PseudoLabels:
    """Give the images of a lesson to training."""
    rows = data.unlabelled[lesson.rows]
    targets = np.zeros((int(rows.max(initial=-1)) + 1, lesson.targets.shape[1]), dtype=np.float32)
    targets[rows] = lesson.targets
    return PseudoLabels(StoredImages(data.train.images, rows, targets=targets), lesson.shares.astype(np.float32))
