from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cass.auditing.copies import check_copies
from cass.auditing.facts import ImageFacts
from cass.auditing.findings import Finding
from cass.data.manifest.manifest import Manifest

LABELS = np.array([0, 0, 1, 1, 0, 1, 0, 1])
SPLITS = np.array(["train", "train", "val", "test", "train", "test", "test", "train"])


def check(
    monkeypatch: pytest.MonkeyPatch,
    *,
    digests: str = "abcdefgh",
    near: tuple[tuple[int, int], ...] = (),
    groups: str | None = None,
    unlabelled: tuple[int, ...] = (),
    errors: tuple[int, ...] = (),
) -> dict[str, list[Finding]]:
    """Check eight images: a letter for the content of each, and one for its group; "-" is no group."""
    pairs = np.array(near, dtype=np.int64).reshape(-1, 2)
    monkeypatch.setattr("cass.auditing.copies.kept_pairs", lambda *given: pairs)
    labelled = ~np.isin(np.arange(8), unlabelled)
    manifest = Manifest(
        root=Path(),
        images=tuple(f"{row}.png" for row in range(8)),
        classes=("sick", "well"),
        targets=np.eye(2, dtype=np.uint8)[LABELS] * labelled[:, None].astype(np.uint8),
        labelled=labelled,
        groups=None if groups is None else np.array(["" if name == "-" else name for name in groups]),
        splits=SPLITS,
        task="multiclass",
    )
    facts = ImageFacts(
        digests=list(digests),
        headers=[None] * 8,
        errors=dict.fromkeys(errors, "truncated"),
        **{name: np.zeros(8) for name in ("mean", "spread", "border_mean", "border_even", "saturated")},
        constant=np.zeros(8, dtype=np.bool_),
        thumbnails=np.zeros((8, 32, 32), dtype=np.uint8),
    )
    found: dict[str, list[Finding]] = {}
    for finding in check_copies(manifest, facts, SPLITS, split_command="cass split"):
        found.setdefault(finding.topic, []).append(finding)
    return found


def test_different_images_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    assert check(monkeypatch, groups="pp------") == {}


def test_copies_within_a_split_are_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    found = check(monkeypatch, digests="aacdaghi")
    (finding,) = found.pop("copies")
    assert finding.what == "3 files in 1 set of identical files: 2 redundant files."
    assert finding.level == "warning"
    assert finding.families == ((0, 1, 4),)
    assert not found


def test_unreadable_files_are_no_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    assert check(monkeypatch, digests="aaaaefgh", errors=(0, 1, 2)) == {}


def test_copies_across_splits_show_one_of_each(monkeypatch: pytest.MonkeyPatch) -> None:
    (finding,) = check(monkeypatch, digests="aaedafag")["leakage: copies"]
    assert finding.level == "serious"
    assert finding.what.startswith(
        "1 of 1 sets of identical files lie in more than one split (4 images, 1 of them test images)"
    )
    assert finding.families == ((6, 0, 1, 4),)
    assert finding.fix == "cass split"


def test_near_duplicates_are_joined_and_counted_by_class(monkeypatch: pytest.MonkeyPatch) -> None:
    found = check(monkeypatch, near=((0, 1), (1, 4), (5, 3)))
    (note,) = found["near-duplicates"]
    assert note.what.startswith("5 images in 2 families of near-duplicates, the largest of 3.")
    assert note.what.endswith("3 of them are among the 4 of 'sick'.")
    assert "leakage: near-duplicates" not in found


def test_groups_across_splits(monkeypatch: pytest.MonkeyPatch) -> None:
    (finding,) = check(monkeypatch, groups="pqpq----")["leakage: groups"]
    assert finding.what.startswith("2 of 2 groups lie in more than one split (4 images, 1 of them test images)")
    assert check(monkeypatch, groups="pp-rpr--") == {}


def test_conflicting_labels_of_the_same_image(monkeypatch: pytest.MonkeyPatch) -> None:
    serious, warning = check(monkeypatch, digests="aaaaefgh", near=((0, 2), (4, 7)))["labels"]
    assert (serious.level, serious.families) == ("serious", ((0, 1, 2, 3),))
    assert serious.what == "1 set of identical files has different labels."
    assert (warning.level, warning.what) == ("warning", "2 families of near-duplicates have different labels.")
    quiet = check(monkeypatch, digests="aaaaefgh", unlabelled=(2, 3))
    assert "labels" not in quiet
