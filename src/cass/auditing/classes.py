"""Checks of the labels: how many there are of each, where, and what each share of them will hold."""

from __future__ import annotations

import re
from difflib import SequenceMatcher

import numpy as np
from numpy.typing import NDArray

from cass.auditing.findings import Finding
from cass.data.manifest.manifest import Manifest
from cass.data.splits.fractions import label_subset
from cass.evaluation.shares import FEW_TEST_IMAGES
from cass.listing import plural
from cass.types import SPLITS

IMBALANCE = 10
FEW_IMAGES = 5
"""Most images of a class that may be a typing mistake."""
ALIKE = 0.8
"""Share of letters in common from which two names may be spellings of one."""
FRACTIONS = (0.01, 0.1, 1.0)


def class_counts(manifest: Manifest, splits: NDArray[np.str_]) -> dict[str, dict[str, int]]:
    """Count the labelled images of each class, in all and by split.

    Args:
        manifest: N images.
        splits: (N,) of ``train``, ``val``, ``test``.

    Returns:
        Class -> ``images``, ``train``, ``val``, ``test``.
    """
    return {
        name: {"images": int(manifest.targets[:, column].sum())}
        | {split: int(manifest.targets[splits == split, column].sum()) for split in SPLITS}
        for column, name in enumerate(manifest.classes)
    }


def fraction_counts(manifest: Manifest, splits: NDArray[np.str_], *, seed: int) -> dict[str, dict[str, int]]:
    """Count what 1%, 10% and all of the training labels hold of each class.

    Args:
        manifest: N images.
        splits: (N,) of split names.
        seed: Seed of the draw.

    Returns:
        Share as text -> class -> images; empty without a labelled training image.
    """
    labelled = np.flatnonzero((splits == "train") & manifest.labelled)
    if not len(labelled):
        return {}
    found = {}
    for fraction in FRACTIONS:
        rows = label_subset(
            manifest.targets, candidates=labelled, fraction=fraction, groups=manifest.groups, seed=seed
        )
        counts = manifest.targets[rows].sum(axis=0)
        found[f"{100 * fraction:g}%"] = {
            name: int(count) for name, count in zip(manifest.classes, counts, strict=True)
        }
    return found


def class_findings(manifest: Manifest, splits: NDArray[np.str_]) -> list[Finding]:
    """Check for classes that cannot be learned or evaluated, and for imbalance.

    Args:
        manifest: N images.
        splits: (N,) of split names.

    Returns:
        What was found.
    """
    if not manifest.classes:
        return [Finding("note", "labels", "No image is labelled, so fine-tuning and evaluation are impossible.")]
    counts = class_counts(manifest, splits)
    found = []
    for name, count in counts.items():
        if count["images"] and not count["train"]:
            what = f"The class {name!r} has no training images and cannot be learned."
            found.append(Finding("serious", "classes", what, "Move images of it into train, or remove the class."))
        elif count["images"] and count["test"] < FEW_TEST_IMAGES:
            what = (
                f"The class {name!r} cannot be evaluated: {plural(count['images'], 'image')} in all, "
                f"{count['test']} of them test images ({count['train']} training, {count['val']} validation)."
            )
            fix = "Collect more images, merge it with another class, or remove it: it distorts class means."
            found.append(Finding("warning", "classes", what, fix, _examples(manifest, name)))
    sizes = {name: count["images"] for name, count in counts.items() if count["images"]}
    found += _misspelt(manifest, sizes)
    if sizes:
        most, least = max(sizes, key=sizes.__getitem__), min(sizes, key=sizes.__getitem__)
        if sizes[most] >= IMBALANCE * sizes[least]:
            what = (
                f"{most!r} has {sizes[most] / sizes[least]:.0f} times as many images as {least!r} "
                f"({sizes[most]:,} and {sizes[least]:,}): use balanced accuracy, not accuracy."
            )
            found.append(Finding("note", "imbalance", what))
    return found


def _misspelt(manifest: Manifest, sizes: dict[str, int]) -> list[Finding]:
    """Find classes whose names are one class in two spellings: the rarer one is the mistake."""
    found = []
    for rare in sizes:
        others = [name for name in sizes if (sizes[name], name) > (sizes[rare], rare)]
        meant = next((name for name in others if _bare(name) == _bare(rare)), None)
        if meant is None and sizes[rare] <= FEW_IMAGES:
            common = [name for name in others if sizes[name] >= IMBALANCE * sizes[rare]]
            meant = next((name for name in common if _typo(rare, name)), None)
        if meant is not None:
            counted = f"{rare!r} ({plural(sizes[rare], 'image')}) and {meant!r} ({sizes[meant]:,})"
            what = f"The classes {counted} may be one."
            fix = f"If they are, replace {rare!r} with {meant!r} in the labels."
            found.append(Finding("warning", "classes", what, fix, _examples(manifest, rare)))
    return found


def _typo(one: str, other: str) -> bool:
    """Tell whether two long names differ in a letter or two; names that differ in digits are meant."""
    one, other = _bare(one), _bare(other)
    if min(len(one), len(other)) < 5 or re.sub(r"\d", "", one) == re.sub(r"\d", "", other):
        return False
    return SequenceMatcher(None, one, other).ratio() >= ALIKE


def _bare(name: str) -> str:
    return re.sub(r"[\W_]", "", name.casefold())


def _examples(manifest: Manifest, name: str) -> tuple[int, ...]:
    column = manifest.classes.index(name)
    return tuple(np.flatnonzero(manifest.targets[:, column])[:FEW_TEST_IMAGES].tolist())
