"""Labels that a classifier of frozen embeddings, which has not seen them, holds for wrong."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cass.evaluation.probe import fit_probe
from cass.types import Task

LABEL_FOLDS = 5

Floats = NDArray[np.float64]


def cross_validated(
    embeddings: NDArray[np.floating],
    targets: NDArray[np.uint8],
    *,
    codes: NDArray[np.int64],
    task: Task,
    seed: int,
) -> Floats:
    """Predict each image by a linear probe that has seen neither it nor its group.

    The images are divided into up to five folds of whole groups. Each fold is predicted by a probe of the
    others, one of which chooses its penalty.

    Args:
        embeddings: (N, D), finite.
        targets: (N, K) of 0 and 1.
        codes: (N,) group numbers.
        task: Multi-class or multi-label.
        seed: Seed of the folds.

    Returns:
        (N, K) probabilities; NaN where there are fewer than three groups.
    """
    from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

    groups = len(np.unique(codes))
    found: Floats = np.full(targets.shape, np.nan)
    if groups < 3:
        return found
    count = min(LABEL_FOLDS, groups)
    kind: Any = StratifiedGroupKFold if task == "multiclass" else GroupKFold
    splitter = kind(count, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class")
        folds = [test for _, test in splitter.split(targets, targets.argmax(axis=1), groups=codes)]
    for index, test in enumerate(folds):
        held = folds[(index + 1) % count]
        train = np.setdiff1d(np.arange(len(targets)), np.concatenate([test, held]))
        if not len(train) or not len(test):
            continue
        probe = fit_probe(
            embeddings[train],
            targets[train],
            validation=embeddings[held],
            validation_targets=targets[held],
            task=task,
        )
        logits = probe.logits(embeddings[test])
        if task == "multilabel":
            found[test] = 1 / (1 + np.exp(-logits))
        else:
            odds = np.exp(logits - logits.max(axis=1, keepdims=True))
            found[test] = odds / odds.sum(axis=1, keepdims=True)
    return found


def doubted(probabilities: Floats, targets: NDArray[np.uint8], *, task: Task, least: float) -> NDArray[np.int64]:
    """Find the images that are given another label with great certainty.

    Args:
        probabilities: (N, K), NaN where there are none.
        targets: (N, K) of 0 and 1.
        task: Multi-class or multi-label.
        least: Probability of the other label, in [0.5, 1]: of another class, or that a label is wrong.

    Returns:
        Rows, the most certain first.

    Source:
        Ranking by self-confidence: Northcutt et al., Confident Learning, JAIR 2021.
    """
    wrong = (
        np.where(targets > 0, 1 - probabilities, probabilities)
        if task == "multilabel"
        else probabilities * (1 - targets)
    )
    worst = np.nan_to_num(wrong, nan=0.0).max(axis=1)
    rows = np.flatnonzero(worst >= least)
    return rows[np.argsort(-worst[rows], kind="stable")].astype(np.int64)
