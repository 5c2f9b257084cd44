"""A linear probe: what a linear classifier reads from embeddings that stay as they are."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from cass.evaluation.logistic import Floats, LogisticFits, log_loss
from cass.types import Task

PENALTIES: tuple[float, ...] = tuple(10.0 ** (half / 2) for half in range(8, -9, -1))
"""Strengths of the penalty that are tried, from the strongest (10,000) to the weakest (0.0001)."""

FOLD_PENALTIES = PENALTIES[::2]
"""Strengths that are tried where each takes several fits."""

FOLDS = 5
WITHOUT_VALIDATION = 0.1
"""Strength that is used where there is nothing to choose it on."""

RISES = 2
"""Strengths without a lower loss after which weaker ones are not tried."""

NO_SPREAD = 1e-6


class Scaling(NamedTuple):
    """How embeddings are centred and scaled: ``(embeddings - centre) / scale``.

    Attributes:
        name: ``isotropic`` or ``standardised``.
        centre: (D,).
        scale: (D,), infinite where a feature has no spread.
    """

    name: str
    centre: Floats
    scale: Floats

    def apply(self, embeddings: NDArray[np.floating]) -> Floats:
        """Centre and scale embeddings (N, D)."""
        scaled: Floats = (np.asarray(embeddings, dtype=np.float64) - self.centre) / self.scale
        return scaled

    def folded(self, coefficients: Floats, bias: Floats, rotation: Floats | None) -> tuple[Floats, Floats]:
        """Turn weights (K, R) and biases for scaled, rotated embeddings into those for raw embeddings."""
        if rotation is not None:
            coefficients = coefficients @ rotation.T
        weight = coefficients / self.scale
        return weight, bias - weight @ self.centre


@dataclass(frozen=True)
class Classifier:
    """A linear classifier of raw embeddings: ``logits = embeddings @ weight.T + bias``.

    Attributes:
        weight: (K, D) float64.
        bias: (K,) float64.
    """

    weight: Floats
    bias: Floats

    def logits(self, embeddings: NDArray[np.floating]) -> Floats:
        """Map embeddings (N, D) to logits (N, K)."""
        result: Floats = np.asarray(embeddings, dtype=np.float64) @ self.weight.T + self.bias
        return result


@dataclass(frozen=True)
class Probe(Classifier):
    """A classifier with how it was chosen.

    Attributes:
        scaling: The chosen centre and scale of the embeddings.
        penalty: The chosen strength of the penalty.
        losses: Held-out loss by strength, for those that were tried with that scaling; empty where nothing was
            held out.
        held: (H, K) logits of images by fits that did not see them.
        held_rows: (H,) rows of these images among the training and validation images, in this order.
    """

    scaling: Scaling
    penalty: float
    losses: dict[float, float]
    held: Floats
    held_rows: NDArray[np.int64]


class Split(NamedTuple):
    """Rows that a fit sees, and rows that it is judged by."""

    seen: NDArray[np.int64]
    held: NDArray[np.int64]


class _Choice(NamedTuple):
    """The best strength of one scaling, with the weights of its last fit where any was made."""

    loss: float
    penalty: float
    losses: dict[float, float]
    held: Floats
    held_rows: NDArray[np.int64]
    fitted: tuple[Floats, Floats] | None


class _Chosen(NamedTuple):
    """The best scaling with its strength, and the features that it makes."""

    choice: _Choice
    scaling: Scaling
    features: Floats
    rotation: Floats | None


def fit_probe(
    embeddings: NDArray[np.floating],
    targets: NDArray[np.uint8],
    *,
    validation: NDArray[np.floating],
    validation_targets: NDArray[np.uint8],
    task: Task,
    weights: NDArray[np.floating] | None = None,
    sample: NDArray[np.floating] | None = None,
    codes: NDArray[np.int64] | None = None,
    pooled: bool = False,
) -> Probe:
    """Fit a logistic regression on scaled embeddings; scaling and penalty are chosen on images held out.

    What is minimised is the weighted mean log loss plus ``penalty / 2`` times the squared norm of the weights on
    embeddings that are centred and scaled, by one number (isotropic) or each feature by its spread (standardised).
    Strengths are tried from the strongest down, until two in a row do not lower the loss. The lowest wins.

    Args:
        embeddings: Training embeddings (N, D), finite; N of 1 or more.
        targets: Their labels (N, K) of 0 and 1; multi-class: one 1 a row.
        validation: Validation embeddings (M, D), which are held out; with none, the strength is 0.1.
        validation_targets: Their labels (M, K).
        task: Multi-class (softmax) or multi-label (a sigmoid for each label).
        weights: (K,) positive weights of the images of each class (multi-label: that have the label), or None.
        sample: (U, D) embeddings that give centre and scale, such as those of all training images; default:
            those of the labelled training images.
        codes: (N + M,) group codes of the training and validation images. Where given, five folds of both,
            which divide no group, are held out in turn: for few validation images. The weights are of both.
        pooled: Where folds are held out, fit the probe to training and validation images.

    Returns:
        The probe, folded back to raw embeddings. A class without a training image keeps its row, which gives
        it the logit -30; a label that all training images have gets +30.

    Source:
        Linear evaluation by L2-regularised logistic regression: Chen et al., ICML 2020, section B.8.
    """
    raw = np.asarray(embeddings, dtype=np.float64)
    pool = np.concatenate([raw, np.asarray(validation, dtype=np.float64).reshape(-1, raw.shape[1])])
    labels, pooled = np.concatenate([targets, validation_targets]), pooled and codes is not None
    counted = np.ones(targets.shape[1]) if weights is None else np.asarray(weights, dtype=np.float64)
    train, held = np.arange(len(raw)), np.arange(len(raw), len(pool))
    splits = [Split(train, held)] if codes is None else probe_folds(labels, codes, task=task)
    # The products are small: threads that wait for each other cost more than they give.
    with threadpool_limits(1, user_api="blas"):
        scaled_by, several = raw if sample is None else sample, codes is not None
        chosen = _choose_scaling(pool, labels, splits, counted, task, sample=scaled_by, several=several)
        choice, features = chosen.choice, chosen.features
        if codes is None and choice.fitted is not None:
            coefficients, bias = choice.fitted
        else:
            rows = np.arange(len(pool)) if pooled else train
            if weights is not None:
                counted = same_priors(counted, labels, Split(rows, held), task=task)
            coefficients, bias = LogisticFits(features[rows], labels[rows], counted, task).at(choice.penalty)
    if not pooled:
        choice = choice._replace(held=features[held] @ coefficients.T + bias, held_rows=held)
    weight, bias = chosen.scaling.folded(coefficients, bias, chosen.rotation)
    return Probe(weight, bias, chosen.scaling, choice.penalty, choice.losses, choice.held, choice.held_rows)


def _choose_scaling(
    pool: Floats,
    labels: NDArray[np.uint8],
    splits: Sequence[Split],
    weights: Floats,
    task: Task,
    *,
    sample: NDArray[np.floating],
    several: bool,
) -> _Chosen:
    """Try every scaling with every strength on images held out."""
    found = []
    for scaling in scalings(sample):
        features, rotation = _reduce(scaling.apply(pool))
        choice = _choose_penalty(features, labels, splits, weights, task, several=several)
        found.append(_Chosen(choice, scaling, features, rotation))
    return min(found, key=lambda each: each.choice.loss)  # of equal ones the first


def scalings(sample: NDArray[np.floating]) -> tuple[Scaling, Scaling]:
    """Return the scalings that are tried.

    Args:
        sample: (U, D) embeddings that give centre and scale.

    Returns:
        Isotropic and standardised. Isotropic scaling keeps how much a feature varies, which few labels cannot
        tell; both have a mean squared feature of 1 on the sample.
    """
    values = np.asarray(sample, dtype=np.float64)
    centre, spread = values.mean(axis=0), values.std(axis=0)
    # A feature without spread tells nothing; what float32 leaves of one must not be blown up.
    varies = spread > NO_SPREAD * np.maximum(np.abs(centre), NO_SPREAD)
    alike = np.sqrt(np.square(spread[varies]).mean()) if varies.any() else np.inf
    return (
        Scaling("isotropic", centre, np.where(varies, alike, np.inf)),
        Scaling("standardised", centre, np.where(varies, spread, np.inf)),
    )


def same_priors(weights: Floats, labels: NDArray[np.uint8], split: Split, *, task: Task) -> Floats:
    """Adapt class weights to the images that a split leaves, so that classes count as much as among all images.

    Folds that divide no group hold classes out unevenly. Without this, a fold would predict least what was held
    out most: its accuracy and its confidence would say nothing of the classifier that all images make.

    Args:
        weights: (K,) class weights.
        labels: (N, K) of 0 and 1.
        split: What is seen and what is held out.
        task: Multi-class or multi-label.

    Returns:
        (K,) weights.
    """
    whole, seen = labels.mean(axis=0), labels[split.seen].mean(axis=0)
    if task == "multilabel":
        whole, seen = (part / np.maximum(1 - part, 1 / len(labels)) for part in (whole, seen))
    adapted: Floats = weights * np.where(seen > 0, whole / np.where(seen > 0, seen, 1.0), 1.0)
    return adapted


def probe_folds(labels: NDArray[np.uint8], codes: NDArray[np.int64], *, task: Task) -> list[Split]:
    """Divide images into folds that divide no group, stratified by class where there is one each.

    Args:
        labels: (N, K) of 0 and 1.
        codes: (N,) group codes.
        task: Multi-class or multi-label.

    Returns:
        Up to five folds; none where the images cannot be divided.
    """
    from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

    count = min(FOLDS, len(np.unique(codes)))
    if task == "multiclass":  # scikit-learn refuses more folds than the largest class has images
        count = min(count, int(labels.sum(axis=0).max()))
    if count < 2:
        return []
    kind = GroupKFold if task == "multilabel" else StratifiedGroupKFold
    folds = kind(count, shuffle=True, random_state=0)
    with warnings.catch_warnings(action="ignore", category=UserWarning):  # of classes with fewer images than folds
        return [Split(*split) for split in folds.split(labels, labels.argmax(axis=1), groups=codes)]


def _reduce(features: Floats) -> tuple[Floats, Floats | None]:
    """Rotate N features of more than N dimensions into the N that they span, where the penalised optimum lies.

    Returns:
        Features (N, R) with R the lesser of N and D, and the rotation (D, R); None where nothing is gained.
    """
    if len(features) >= features.shape[1]:
        return features, None
    left, scale, right = np.linalg.svd(features, full_matrices=False)
    return left * scale, right.T


def _choose_penalty(
    features: Floats,
    labels: NDArray[np.uint8],
    splits: Sequence[Split],
    weights: Floats,
    task: Task,
    *,
    several: bool,
) -> _Choice:
    """Try strengths from the strongest down on images held out."""
    if task == "multiclass":  # no classifier can be blamed for a class that it never saw
        splits = [
            Split(seen, held[(labels[held][:, labels[seen].any(axis=0)] > 0).any(axis=1)]) for seen, held in splits
        ]
    splits = [split for split in splits if len(split.held)]
    nothing = np.empty((0, labels.shape[1]))
    best = _Choice(np.inf, WITHOUT_VALIDATION, {}, nothing, np.empty(0, dtype=np.int64), None)
    if not splits:
        return best
    fits = []
    for split in splits:
        counted = same_priors(weights, labels, split, task=task) if several else weights
        fits.append(LogisticFits(features[split.seen], labels[split.seen], counted, task))
    rows = np.concatenate([split.held for split in splits])
    since = 0
    for strength in FOLD_PENALTIES if several else PENALTIES:
        parts = []
        for fit, split in zip(fits, splits, strict=True):
            coefficients, bias = fit.at(strength)
            parts.append(features[split.held] @ coefficients.T + bias)
        held = np.concatenate(parts)
        loss = log_loss(held, labels[rows], task=task)
        best.losses[strength] = loss
        since += 1
        if loss < best.loss:
            best = best._replace(
                loss=loss, penalty=strength, held=held, held_rows=rows, fitted=(coefficients, bias)
            )
            since = 0
        elif since >= RISES:
            break
    return best
