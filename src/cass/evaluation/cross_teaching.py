"""Two branches label images for each other: pseudo-labels by cross-teaching, and a check that they help.

docs/explanation/teaching.md has the measurements behind the constants.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from cass.evaluation.logistic import Floats, LogisticFits, log_loss
from cass.evaluation.probe import Classifier, Scaling, Split, same_priors
from cass.types import BranchName, Task

ROUNDS = 6
SHARE = 0.5
"""Share of the unlabelled images that have a pseudo-label in the last round."""

WEIGHT = 0.3
"""Weight of an image with a pseudo-label; an image with a label has 1."""

PENALTY = 0.1
"""Strength of the penalty of every classifier: a few labels are too few to choose one."""

WIDTH = 256
"""Principal axes of the embeddings that the classifiers of the rounds see."""

LOG_TEMPERATURES = (-3.0, 6.0)
"""Bounds of the logarithm of the temperature that held-out logits are divided by."""


class Pupil(NamedTuple):
    """What a branch brings to the rounds.

    Attributes:
        labelled: (N, D) embeddings of the images with labels.
        unlabelled: (U, D) embeddings of the images without.
        scaling: Centre and scale of the embeddings.
    """

    labelled: NDArray[np.floating]
    unlabelled: NDArray[np.floating]
    scaling: Scaling


class Lesson(NamedTuple):
    """Pseudo-labels for one branch.

    Attributes:
        rows: (P,) rows among the U unlabelled images.
        targets: (P, K) the other branch's probabilities.
        shares: (P, K) weights of the pseudo-labels, 0 where an image has none for a label; multi-class: the same
            for all classes of an image.
    """

    rows: NDArray[np.int64]
    targets: Floats
    shares: Floats


class Taught(NamedTuple):
    """What the rounds end with.

    Attributes:
        alone: Each branch's classifier of the labels alone.
        classifiers: Each branch's classifier of labels and pseudo-labels.
        lessons: Each branch's pseudo-labels.
    """

    alone: dict[BranchName, Classifier]
    classifiers: dict[BranchName, Classifier]
    lessons: dict[BranchName, Lesson]


class Judgement(NamedTuple):
    """Whether pseudo-labels help, on labelled images that neither side had seen.

    Attributes:
        helps: Whether they are to be used: their log loss is not higher by more than one standard error, and below
            that of guessing.
        alone: Mean log loss of both branches' mean probabilities from the labels alone; NaN without a fold.
        taught: The same with pseudo-labels.
        error: Standard error of the mean difference.
        guessing: Log loss of equal probabilities.
        logits: (H, K) logits of each branch with pseudo-labels.
        rows: (H,) rows of these images.
    """

    helps: bool
    alone: float
    taught: float
    error: float
    guessing: float
    logits: dict[BranchName, Floats]
    rows: NDArray[np.int64]


class _Features(NamedTuple):
    """Scaled embeddings on their principal axes."""

    labelled: Floats
    unlabelled: Floats
    rotation: Floats
    pupil: Pupil

    def folded(self, coefficients: Floats, bias: Floats) -> Classifier:
        """Turn weights (K, R) and biases for the features into those for raw embeddings."""
        return Classifier(*self.pupil.scaling.folded(coefficients, bias, self.rotation))


def teach(pupils: Mapping[BranchName, Pupil], labels: NDArray[np.uint8], *, task: Task, weights: Floats) -> Taught:
    """Let two branches label images for each other in growing rounds.

    A linear classifier of each branch is fitted to the labels. In each of six rounds, each branch takes
    pseudo-labels from the other one's classifier: of every class the likeliest images, in proportion to the
    class's share of the labels, up to half of the unlabelled images in the last round. Then it is fitted anew to
    labels (weight 1) and pseudo-labels (weight 0.3). In multi-label sets each label is a two-class problem of its
    own.

    Args:
        pupils: Both branches, with the same N labelled and U unlabelled images.
        labels: (N, K) of 0 and 1.
        task: Multi-class or multi-label.
        weights: (K,) class weights, as in :func:`cass.evaluation.probe.fit_probe`.

    Returns:
        The classifiers before and after the last round, and the last round's pseudo-labels.

    Source:
        Cross-teaching: Luo et al., MIDL 2022 (arXiv 2112.04894), after co-training (Blum & Mitchell, COLT 1998).
        Shares by class, growing over the rounds: Zou et al., ECCV 2018 (arXiv 1810.07911).
    """
    with threadpool_limits(1, user_api="blas"):
        return _rounds({name: _features(pupil) for name, pupil in pupils.items()}, labels, task, weights)


def judge(
    pupils: Mapping[BranchName, Pupil],
    labels: NDArray[np.uint8],
    splits: Sequence[Split],
    *,
    task: Task,
    weights: Floats,
) -> Judgement:
    """Check on labelled images that are held out whether pseudo-labels help.

    Args:
        pupils: Both branches; N labelled images.
        labels: (N, K) of 0 and 1.
        splits: What is fitted to and what is held out, in turn.
        task: Multi-class or multi-label.
        weights: (K,) class weights.

    Returns:
        The judgement. Without a split nothing can be judged, and they are not used.
    """
    names = list(pupils)
    with threadpool_limits(1, user_api="blas"):
        features = {name: _features(pupil) for name, pupil in pupils.items()}
        alone: dict[BranchName, list[Floats]] = {name: [] for name in names}
        taught: dict[BranchName, list[Floats]] = {name: [] for name in names}
        for split in splits:
            seen = {name: part._replace(labelled=part.labelled[split.seen]) for name, part in features.items()}
            counted = same_priors(weights, labels, split, task=task) if len(splits) > 1 else weights
            made = _rounds(seen, labels[split.seen], task, counted)
            for name in names:
                held = pupils[name].labelled[split.held]
                alone[name].append(made.alone[name].logits(held))
                taught[name].append(made.classifiers[name].logits(held))
    if not splits:
        return Judgement(False, np.nan, np.nan, np.nan, np.nan, {}, np.empty(0, dtype=np.int64))
    rows = np.concatenate([split.held for split in splits])
    logits = {name: np.concatenate(parts) for name, parts in taught.items()}
    before = _losses([np.concatenate(parts) for parts in alone.values()], labels[rows], task=task)
    after = _losses(list(logits.values()), labels[rows], task=task)
    guessing = float(np.log(labels.shape[1] if task == "multiclass" else 2))
    error = _standard_error(after - before)
    helps = bool((after - before).mean() <= error and after.mean() < guessing - _standard_error(after))
    return Judgement(helps, float(before.mean()), float(after.mean()), error, guessing, logits, rows)


def _features(pupil: Pupil) -> _Features:
    """Scale the embeddings and rotate them onto their principal axes."""
    scaled = [pupil.scaling.apply(part) for part in (pupil.labelled, pupil.unlabelled)]
    every = np.concatenate(scaled)
    _, axes = np.linalg.eigh(every.T @ every)
    rotation = axes[:, ::-1][:, :WIDTH]
    return _Features(scaled[0] @ rotation, scaled[1] @ rotation, rotation, pupil)


def _rounds(
    features: Mapping[BranchName, _Features], labels: NDArray[np.uint8], task: Task, weights: Floats
) -> Taught:
    first, second = features
    fits = {name: _fit(part, labels, weights, task, lesson=None) for name, part in features.items()}
    alone = {name: features[name].folded(*fits[name]) for name in features}
    prior = labels.mean(axis=0)
    lessons: dict[BranchName, Lesson] = {}
    for number in range(1, ROUNDS + 1):
        told = {name: _probabilities(part.unlabelled, *fits[name], task=task) for name, part in features.items()}
        share = SHARE * number / ROUNDS
        lessons = {
            first: choose(told[second], prior, share=share, task=task),
            second: choose(told[first], prior, share=share, task=task),
        }
        fits = {name: _fit(part, labels, weights, task, lesson=lessons[name]) for name, part in features.items()}
    return Taught(alone, {name: features[name].folded(*fits[name]) for name in features}, lessons)


def choose(probabilities: Floats, prior: Floats, *, share: float, task: Task) -> Lesson:
    """Choose the images that a teacher is surest of, each class by its share.

    Args:
        probabilities: (U, K) of the teacher.
        prior: (K,) share of the labelled images that have each class.
        share: Share of the images to choose, in (0, 1].
        task: Multi-class: an image counts for its likeliest class. Multi-label: for each label its likeliest
            images, above one half, and its least likely ones, below.

    Returns:
        The pseudo-labels.
    """
    count = len(probabilities)
    shares = np.zeros(probabilities.shape)
    likeliest = probabilities.argmax(axis=1)
    for index, part in enumerate(prior):
        values = probabilities[:, index]
        if task == "multiclass":
            shares[_surest(values, likeliest == index, round(share * count * part))] = WEIGHT
        else:
            shares[_surest(values, values >= 0.5, round(share * count * part)), index] = WEIGHT
            shares[_surest(-values, values < 0.5, round(share * count * (1 - part))), index] = WEIGHT
    rows = np.flatnonzero(shares.any(axis=1))
    return Lesson(rows, probabilities[rows], shares[rows])


def hard_labels(targets: Floats, *, task: Task) -> NDArray[np.uint8]:
    """Turn probabilities (P, K) into labels (P, K) of 0 and 1."""
    if task == "multilabel":
        return (targets >= 0.5).astype(np.uint8)
    labels: NDArray[np.uint8] = np.eye(targets.shape[1], dtype=np.uint8)[targets.argmax(axis=1)]
    return labels


def _surest(values: Floats, allowed: NDArray[np.bool_], count: int) -> NDArray[np.int64]:
    """Return the rows of the highest values among those allowed, of equal ones the first."""
    rows = np.flatnonzero(allowed)
    return rows[np.argsort(-values[rows], kind="stable")[:count]]


def _fit(
    features: _Features, labels: NDArray[np.uint8], weights: Floats, task: Task, *, lesson: Lesson | None
) -> tuple[Floats, Floats]:
    """Fit a classifier to labels and pseudo-labels; returns weights (K, R) and biases (K,)."""
    if lesson is None or not len(lesson.rows):
        return LogisticFits(features.labelled, labels, weights, task).at(PENALTY)
    return LogisticFits(
        np.concatenate([features.labelled, features.unlabelled[lesson.rows]]),
        np.concatenate([labels, hard_labels(lesson.targets, task=task)]),
        weights,
        task,
        shares=np.concatenate([np.ones(labels.shape), lesson.shares]),
    ).at(PENALTY)


def _probabilities(features: Floats, coefficients: Floats, bias: Floats, *, task: Task) -> Floats:
    return _of_logits(features @ coefficients.T + bias, task=task)


def _of_logits(logits: Floats, *, task: Task) -> Floats:
    """Turn logits (N, K) into probabilities."""
    from scipy.special import expit, softmax

    values: Floats = softmax(logits, axis=1) if task == "multiclass" else expit(logits)
    return values


def _standard_error(values: Floats) -> float:
    """Return the standard error of a mean; infinite for fewer than two values."""
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else np.inf


def _tempered(logits: Floats, labels: NDArray[np.uint8], *, task: Task) -> Floats:
    """Divide logits by the temperature that gives the lowest log loss: confidence is not what is judged."""
    from scipy.optimize import minimize_scalar

    def loss(log_temperature: float) -> float:
        return log_loss(logits / np.exp(log_temperature), labels, task=task)

    found = minimize_scalar(loss, bounds=LOG_TEMPERATURES, method="bounded")
    tempered: Floats = logits / np.exp(found.x)
    return tempered


def _losses(logits: Sequence[Floats], labels: NDArray[np.uint8], *, task: Task) -> Floats:
    """Return the log loss (H,) of each image by the mean of the branches' probabilities."""
    mean = np.mean([_of_logits(_tempered(part, labels, task=task), task=task) for part in logits], axis=0)
    truth = np.where(labels > 0, mean, 1 - mean) if task == "multilabel" else (mean * labels).sum(axis=1)
    losses: Floats = -np.log(np.maximum(truth, np.finfo(np.float64).tiny))
    return losses.mean(axis=1) if losses.ndim == 2 else losses
