"""Checks for what leads a network to the label past the picture: file facts, looks, sites."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cass.auditing.facts import ImageFacts
from cass.auditing.findings import Finding
from cass.auditing.shortcuts import Prediction, file_facts, look_facts, predict_from_facts
from cass.data.manifest.manifest import Manifest
from cass.groups import group_codes

ABOVE_CHANCE = 0.15
"""Balanced accuracy above chance from which on a fact is reported."""
MOST_VALUES = 20
"""Most different values of a column that is taken for a kind, such as a site or a scanner."""


def check_leads(
    manifest: Manifest, facts: ImageFacts, *, seed: int
) -> tuple[list[Finding], dict[str, Prediction]]:
    """Check what can be told without looking at what an image shows.

    Args:
        manifest: N images; of a multi-label set nothing is checked.
        facts: Their facts.
        seed: Seed of the cross-validation.

    Returns:
        What was found, and each prediction by what it is of and from.
    """
    if manifest.task != "multiclass":
        return [], {}
    rows = np.flatnonzero(manifest.labelled & facts.readable)
    codes = group_codes(manifest.groups, count=len(manifest))
    labels = np.array([*manifest.classes, ""])[manifest.targets.argmax(axis=1)] if manifest.classes else None
    readable = np.flatnonzero(facts.readable)
    files, looks = file_facts(facts), look_facts(facts)
    found: list[Finding] = []
    predictions: dict[str, Prediction] = {}

    def predict(name: str, columns: dict[str, NDArray[np.float64]], values: NDArray[np.str_]) -> Prediction | None:
        place = np.searchsorted(readable, rows)
        prediction = predict_from_facts(
            {key: column[place] for key, column in columns.items()}, values[rows], codes=codes[rows], seed=seed
        )
        if prediction is not None:
            predictions[name] = prediction
        return prediction

    if labels is not None and len(rows):
        found += _of_label(predict("label from the file", files, labels), "file")
        found += _of_label(predict("label from brightness and border", looks, labels), "look")
    for name, cells in manifest.metadata.items():
        values = cells.astype(np.str_)
        kinds = np.unique(values[rows])
        if not 2 <= len(kinds) <= MOST_VALUES:
            continue
        numbers = np.searchsorted(kinds, values).astype(np.float64)[readable]
        of_label = None if labels is None else predict(f"label from {name}", {name: numbers}, labels)
        of_look = predict(f"{name} from the file and its look", files | looks, values)
        found += _of_column(name, of_label, of_look)
    return found, predictions


def _of_label(prediction: Prediction | None, kind: str) -> list[Finding]:
    """Report what file facts or looks tell of the label."""
    if prediction is None or prediction.accuracy < prediction.chance + ABOVE_CHANCE:
        return []
    names = ", ".join(f"{name} ({100 * value:.0f}%)" for name, value in prediction.facts.items())
    source = "File properties" if kind == "file" else "Simple image statistics (brightness, border, compression)"
    what = (
        f"{source} alone predict the label with a balanced accuracy of "
        f"{100 * prediction.accuracy:.0f}% (chance: {100 * prediction.chance:.0f}%); the strongest are {names}."
    )
    for label, telling in prediction.given_away.items():
        what += f" They nearly always give {label!r} away ({', '.join(telling)})."
    if kind == "file":
        fix = (
            "Take all classes from the same source, or save all images with the same size, colour mode and format."
        )
        return [Finding("warning", "shortcut", what, fix)]
    fix = "The cause may be the disease or the scanner. Evaluate on a site or scanner without training images."
    return [Finding("note", "look", what, fix)]


def _of_column(name: str, label: Prediction | None, look: Prediction | None) -> list[Finding]:
    """Report a column, such as the site, that is correlated with the label and with image appearance."""
    with_label = label is not None and label.accuracy >= label.chance + ABOVE_CHANCE / 3
    with_look = look is not None and look.accuracy >= look.chance + ABOVE_CHANCE
    if not (with_label or with_look):
        return []
    parts = []
    if label is not None and with_label:
        parts.append(
            f"with the label (balanced accuracy {100 * label.accuracy:.0f}%, chance {100 * label.chance:.0f}%)"
        )
    if look is not None and with_look:
        by = ", ".join(look.facts)
        parts.append(f"with image appearance (balanced accuracy {100 * look.accuracy:.0f}%, by {by})")
    what = f"The column {name!r} is correlated {' and '.join(parts)}: a network can use it instead of the disease."
    fix = f"Evaluate on a value of {name!r} that is not in train, or balance the classes for each value."
    return [Finding("warning" if with_label and with_look else "note", name, what, fix)]
