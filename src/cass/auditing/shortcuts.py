"""How well labels can be told from the files alone: what a network would learn instead of the disease."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cass.auditing.facts import ImageFacts

FACT_FOLDS = 5
TREES = 50
MOST_IMAGES = 5000
"""Images that each tree is grown on, at most."""
BEST_FACTS = 3
LEAVES = 16
GIVEN_AWAY = 0.9

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Prediction:
    """How well something is predicted from facts, each image by a model that has not seen its group.

    Attributes:
        accuracy: Balanced accuracy, in [0, 1].
        chance: What guessing gives: 1 over the number of classes.
        facts: The facts that tell most alone, with their balanced accuracies, best first.
        given_away: Classes of which at least 90% are recognised and at least 90% of what is taken for them are
            theirs, each with the facts that tell it from all others best.
    """

    accuracy: float
    chance: float
    facts: dict[str, float]
    given_away: dict[str, list[str]]


def file_facts(facts: ImageFacts) -> dict[str, Floats]:
    """Lay out what the files are, whatever they show; what is no number is numbered.

    Args:
        facts: Of N images, all of them readable.

    Returns:
        (N,) by name.
    """
    headers = [header for header in facts.headers if header is not None]

    def number(words: list[str]) -> Floats:
        return np.unique(words, return_inverse=True)[1].astype(np.float64)

    return {
        "width": np.array([header.width for header in headers], dtype=np.float64),
        "height": np.array([header.height for header in headers], dtype=np.float64),
        "file format": number([header.format for header in headers]),
        "colour mode": number([header.mode for header in headers]),
        "bit depth": np.array([header.bits for header in headers], dtype=np.float64),
        "EXIF orientation": np.array([header.orientation for header in headers], dtype=np.float64),
        "EXIF maker": number([header.make for header in headers]),
    }


def look_facts(facts: ImageFacts) -> dict[str, Floats]:
    """Lay out the coarsest of what the images show: brightness, border, and how well they compress.

    Args:
        facts: Of N images, all of them readable.

    Returns:
        (N,) by name.
    """
    headers = [header for header in facts.headers if header is not None]
    return {
        "bytes per pixel": np.array([header.size / (header.width * header.height) for header in headers]),
        "mean intensity": facts.mean[facts.readable],
        "spread of intensity": facts.spread[facts.readable],
        "border intensity": facts.border_mean[facts.readable],
        "evenness of the border": facts.border_even[facts.readable],
        "black or white pixels": facts.saturated[facts.readable],
    }


def predict_from_facts(
    columns: dict[str, Floats], labels: NDArray[np.str_], *, codes: Ints, seed: int
) -> Prediction | None:
    """Predict labels from facts, cross-validated by group.

    Args:
        columns: (N,) numbers by name.
        labels: (N,) class names.
        codes: (N,) group numbers; no group is in two folds.
        seed: Seed of the folds and of the trees.

    Returns:
        The prediction; None where fewer than two classes have two groups.
    """
    keep = _evaluable(labels, codes)
    labels, codes = labels[keep], codes[keep]
    names = np.unique(labels)
    if len(names) < 2:
        return None
    varying = {name: column[keep] for name, column in columns.items() if len(np.unique(column[keep])) > 1}
    if not varying:
        return None
    folds = _folds(labels, codes, seed=seed)
    forest = _cross_validate(np.stack(list(varying.values()), axis=1), labels, folds, model=_forest(seed))
    recalls = {str(name): float((forest[labels == name] == name).mean()) for name in names}
    given_away = [
        name
        for name, recall in recalls.items()
        if recall >= GIVEN_AWAY and (labels[forest == name] == name).mean() >= GIVEN_AWAY
    ]
    return Prediction(
        accuracy=float(np.mean(list(recalls.values()))),
        chance=1 / len(names),
        facts=_alone(varying, labels, folds, seed=seed),
        given_away={
            name: list(_alone(varying, np.where(labels == name, name, ""), folds, seed=seed))
            for name in given_away
        },
    )


def _evaluable(labels: NDArray[np.str_], codes: Ints) -> NDArray[np.bool_]:
    """Keep the classes that have images in two groups or more."""
    kept = [name for name in np.unique(labels) if len(np.unique(codes[labels == name])) > 1]
    return np.isin(labels, kept)


Folds = list[tuple[Ints, Ints]]


def _folds(labels: NDArray[np.str_], codes: Ints, *, seed: int) -> Folds:
    """Divide images into folds of whole groups, each class spread over them."""
    from sklearn.model_selection import StratifiedGroupKFold

    groups = [len(np.unique(codes[labels == name])) for name in np.unique(labels)]
    splitter = StratifiedGroupKFold(min(FACT_FOLDS, *groups), shuffle=True, random_state=seed)
    return list(splitter.split(labels, labels, groups=codes))


def _forest(seed: int) -> Any:
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(
        TREES,
        min_samples_leaf=2,
        max_samples=MOST_IMAGES,
        class_weight="balanced_subsample",
        random_state=seed,
        n_jobs=-1,
    )


def _alone(columns: dict[str, Floats], labels: NDArray[np.str_], folds: Folds, *, seed: int) -> dict[str, float]:
    """Return the balanced accuracy that single facts give, of the best few, best first."""
    from sklearn.metrics import balanced_accuracy_score
    from sklearn.tree import DecisionTreeClassifier

    tree = DecisionTreeClassifier(max_leaf_nodes=LEAVES, class_weight="balanced", random_state=seed)
    found = {
        name: float(balanced_accuracy_score(labels, _cross_validate(column[:, None], labels, folds, model=tree)))
        for name, column in columns.items()
    }
    return {name: found[name] for name in sorted(found, key=lambda name: -found[name])[:BEST_FACTS]}


def _cross_validate(table: Floats, labels: NDArray[np.str_], folds: Folds, *, model: Any) -> NDArray[np.str_]:
    """Predict each image by a model that has not seen its group."""
    predicted = labels.copy()
    for train, test in folds:
        if hasattr(model, "max_samples"):
            model.set_params(max_samples=min(MOST_IMAGES, len(train)))
        predicted[test] = model.fit(table[train], labels[train]).predict(table[test])
    return predicted
