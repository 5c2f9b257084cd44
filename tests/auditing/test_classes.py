from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cass.auditing.classes import class_counts, class_findings, fraction_counts
from cass.data.manifest.manifest import Manifest


def set_of(**counts: int) -> Manifest:
    """A labelled set with so many images of each class; an underscore in a name becomes a space."""
    classes = tuple(name.replace("_", " ") for name in counts)
    labels = np.repeat(np.arange(len(classes)), list(counts.values()))
    return Manifest(
        root=Path(),
        images=tuple(f"{row}.png" for row in range(len(labels))),
        classes=classes,
        targets=np.eye(len(classes), dtype=np.uint8)[labels],
        labelled=np.ones(len(labels), dtype=np.bool_),
        groups=None,
        splits=None,
        task="multiclass",
    )


def spread(count: int) -> np.ndarray:
    """Splits in turn."""
    return np.array(["train", "test", "val"])[np.arange(count) % 3]


def said(**counts: int) -> list[str]:
    manifest = set_of(**counts)
    return [finding.what for finding in class_findings(manifest, spread(len(manifest)))]


def test_counts_by_split() -> None:
    manifest = set_of(a=4, b=3)
    splits = np.array(["train", "train", "val", "test", "train", "test", "test"])
    assert class_counts(manifest, splits) == {
        "a": {"images": 4, "train": 2, "val": 1, "test": 1},
        "b": {"images": 3, "train": 1, "val": 0, "test": 2},
    }


def test_shares_of_the_training_labels() -> None:
    manifest = set_of(a=150, b=60)
    counts = fraction_counts(manifest, np.full(210, "train"), seed=0)
    assert list(counts) == ["1%", "10%", "100%"]
    assert counts["100%"] == {"a": 150, "b": 60}
    assert sum(counts["10%"].values()) == 21
    assert fraction_counts(manifest, np.full(210, "test"), seed=0) == {}


def test_a_balanced_set_needs_no_remark() -> None:
    assert said(cats=90, dogs=90) == []


def test_an_unlabelled_set() -> None:
    manifest = set_of(a=3)
    nothing = Manifest(
        Path(), manifest.images, (), manifest.targets[:, :0], ~manifest.labelled, None, None, "multiclass"
    )
    (finding,) = class_findings(nothing, spread(3))
    assert finding.what.startswith("No image is labelled")


def test_a_class_without_training_images_is_serious() -> None:
    manifest = set_of(a=90, b=90)
    splits = np.where(manifest.targets[:, 1] > 0, "test", spread(180))
    (finding,) = class_findings(manifest, splits)
    assert (finding.level, finding.what) == (
        "serious",
        "The class 'b' has no training images and cannot be learned.",
    )


@pytest.mark.parametrize("rare", ["ADENOMA", "adeno_ma", "adenmoa"])
def test_a_second_spelling_of_a_class(rare: str) -> None:
    (sentence,) = [what for what in said(adenoma=300, polyp=300, **{rare: 4}) if "may be one" in what]
    assert sentence.startswith(f"The classes {rare.replace('_', ' ')!r} (4 images) and 'adenoma' (300)")


@pytest.mark.parametrize("other", ["grade2", "nevus", "mel"])
def test_names_that_are_meant(other: str) -> None:
    assert not [what for what in said(grade1=300, melanoma=300, **{other: 4}) if "may be one" in what]


def test_imbalance_from_ten_times() -> None:
    assert said(a=450, b=46) == []
    assert said(a=450, b=45) == [
        "'a' has 10 times as many images as 'b' (450 and 45): use balanced accuracy, not accuracy."
    ]
