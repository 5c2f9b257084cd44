"""What resolve_splits says, word for word, and what decides where it makes splits itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from cass.data.manifest.manifest import Manifest, load_manifest
from cass.data.splits.fractions import label_subset
from cass.data.splits.kept import read_splits, write_splits
from cass.data.splits.resolve import require_training_images, resolve_splits
from cass.errors import ConfigError, DataError, OutputError
from cass.types import SPLITS, Split

Write = Callable[..., Path]


def read(write_csv: Write, rows: Sequence[str], header: str = "image,label,group") -> Manifest:
    return load_manifest(write_csv("\n".join([header, *rows]) + "\n"))


def names(count: int) -> list[str]:
    return [f"digest{index}" for index in range(count)]


def pairs(manifest: Manifest, digests: Sequence[str]) -> np.ndarray:
    """Say that images 0 and 1, 2 and 3, ... are near-duplicates."""
    assert len(digests) == len(manifest)
    return np.arange(len(manifest)) // 2


@pytest.mark.parametrize("known", [None, {"digest0": "train", "digest1": "val", "digest2": "test"}])
def test_near_duplicates_stay_together_in_splits_that_are_made(
    write_csv: Write, known: dict[str, Split] | None
) -> None:
    manifest = read(write_csv, [f"{i}.png,{'xy'[i // 2 % 2]}," for i in range(84)])
    resolved = resolve_splits(manifest, digests=names(84), seed=0, known=known, families=pairs)
    assert (resolved.splits[4::2] == resolved.splits[5::2]).all()
    assert set(resolved.splits) == set(SPLITS)
    alone = resolve_splits(manifest, digests=names(84), seed=0, known=known)
    assert (alone.splits[4::2] != alone.splits[5::2]).any()


def test_near_duplicates_stay_together_in_a_validation_split_that_is_made(write_csv: Write) -> None:
    rows = [f"{i}.png,{'xy'[i // 2 % 2]},,{'train' if i < 160 else 'test'}" for i in range(164)]
    manifest = read(write_csv, rows, "image,label,group,split")

    def splits(seed: int) -> list[str]:
        found = resolve_splits(manifest, digests=names(164), seed=seed, known=None, families=pairs).splits
        assert (found[0:160:2] == found[1:160:2]).all()
        assert (found == "val").sum() == 20
        return [str(split) for split in found]

    assert splits(0) == splits(0)
    assert splits(0) != splits(1)


def test_near_duplicates_are_not_searched_where_nothing_is_split(write_csv: Write) -> None:
    def never(manifest: Manifest, digests: Sequence[str]) -> np.ndarray:
        raise AssertionError

    manifest = read(write_csv, ["a.png,x,", "b.png,x,"])
    known: dict[str, Split] = {"digest0": "test", "digest1": "val"}
    resolved = resolve_splits(manifest, digests=names(2), seed=0, known=known, families=never)
    assert resolved.splits.tolist() == ["test", "val"]
    assert resolved.notes == ("2 of 2 images keep the split they had in the pretraining run.",)


def test_in_an_evaluation_all_images_that_the_run_does_not_know_are_test_images(write_csv: Write) -> None:
    manifest = read(write_csv, ["a.png,x,g", "b.png,x,g", "c.png,x,", "d.png,x,"])
    resolved = resolve_splits(
        manifest, digests=names(4), seed=0, known={"digest0": "train", "digest3": "val"}, all_new_test=True
    )
    assert resolved.splits.tolist() == ["train", "train", "test", "val"]
    assert (resolved.source, resolved.notes, resolved.leaks) == ("run", (), ())


def test_made_splits_have_no_notes_unless_a_run_was_given(write_csv: Write) -> None:
    manifest = read(write_csv, [f"{i}.png,x," for i in range(20)])
    assert resolve_splits(manifest, digests=names(20), seed=0, known=None).notes == ()
    assert resolve_splits(manifest, digests=names(20), seed=0, known={"other": "test"}).notes == (
        "None of the images was in the pretraining run; new splits were made.",
    )


def test_what_is_said_of_images_that_an_earlier_run_does_not_know(write_csv: Write) -> None:
    rows = [f"{i}.png,{'xy'[i % 2]},{'g' if i in (0, 40, 41) else ''}" for i in range(80)]
    manifest = read(write_csv, rows)
    known = {digest: SPLITS[i % 3] for i, digest in enumerate(names(40))}
    resolved = resolve_splits(manifest, digests=names(80), seed=0, known=known)
    assert resolved.notes == (
        "40 of 80 images keep the split they had in the pretraining run.",
        "2 new images share a group with one of these and follow it.",
        "38 images were not in that run and were split 70/10/20.",
    )
    again = resolve_splits(manifest, digests=names(80), seed=0, known=known)
    other = resolve_splits(manifest, digests=names(80), seed=1, known=known)
    assert (resolved.splits == again.splits).all()
    assert (resolved.splits[:42] == other.splits[:42]).all()
    assert (resolved.splits != other.splits).any()


@pytest.mark.parametrize(("count", "split"), [(2, {"train"}), (3, set(SPLITS))])
def test_three_new_groups_are_the_fewest_that_can_be_split(write_csv: Write, count: int, split: set[str]) -> None:
    manifest = read(write_csv, [f"{i}.png,x," for i in range(count + 1)])
    resolved = resolve_splits(manifest, digests=names(count + 1), seed=0, known={"digest0": "val"})
    assert set(resolved.splits[1:]) == split
    said = "and were split 70/10/20." if count == 3 else "too few to split, they train."
    assert resolved.notes[-1].endswith(said)


def test_what_is_said_of_given_splits(write_csv: Write) -> None:
    header = "image,label,group,split"
    manifest = read(write_csv, ["a.png,x,,train", "b.png,x,,val"], header)
    assert resolve_splits(manifest, digests=names(2), seed=0, known=None).notes == (
        "The given splits have no test images; nothing can be evaluated on them.",
    )
    manifest = read(write_csv, ["a.png,x,,test"], header)
    assert resolve_splits(manifest, digests=names(1), seed=0, known=None).notes == (
        "The given splits have no train images; nothing can be trained on them.",
    )
    manifest = read(write_csv, ["a.png,x,g,train", "b.png,x,h,train", "c.png,x,,test"], header)
    assert resolve_splits(manifest, digests=names(3), seed=0, known=None).notes == (
        "The given splits have no val: 1 of 2 train images became it.",
    )


def test_leaks_name_the_first_image_and_count_groups_and_copies(write_csv: Write) -> None:
    rows = ["a.png,x,,train", "b.png,x,g,train", "c.png,x,g,val", "d.png,x,h,train", "e.png,x,h,test"]
    manifest = read(write_csv, rows, "image,label,group,split")
    score = "test images resemble training images, so scores will be too high."
    both = resolve_splits(manifest, digests=["1", "1", "2", "3", "1"], seed=0, known=None).leaks
    assert both == (
        f"The given splits put 2 groups into more than one split (first: the one of 'b.png'): {score}",
        f"The given splits put 1 image with exact copies into more than one split (first: the one of 'a.png'): "
        f"{score}",
    )
    without = read(
        write_csv, ["a.png,x,train", "b.png,x,val", "c.png,x,train", "d.png,x,test"], "image,label,split"
    )
    assert resolve_splits(without, digests=["1", "1", "2", "2"], seed=0, known=None).leaks == (
        f"The given splits put 2 images with exact copies into more than one split (first: the one of 'a.png'): "
        f"{score}",
    )


def said(error: type[Exception], call: Callable[[], object]) -> str:
    with pytest.raises(error) as caught:
        call()
    return str(caught.value)


def test_errors_name_the_fix(write_csv: Write, tmp_path: Path) -> None:
    header = "image,label,group,split"
    one = read(write_csv, ["a.png,x,g,train", "b.png,x,g,train", "c.png,x,h,test"], header)
    assert said(DataError, lambda: resolve_splits(one, digests=names(3), seed=0, known=None)).endswith(
        "are one group, so none of them can become val. Mark other images as val."
    )
    rare = read(write_csv, ["a.png,x,,train", "b.png,y,,val", "c.png,y,,test"], header)
    assert rare.splits is not None
    assert said(DataError, lambda: require_training_images(rare, np.asarray(rare.splits))) == (
        "In the data the label 'y' only occurs in the val and test split, so it cannot be learned. "
        "Move images of it into the train split, or take it out."
    )
    gone = tmp_path / "no" / "splits.csv"
    assert said(OutputError, lambda: write_splits(gone, one, np.asarray(one.splits), names(3))) == (
        f"Cannot write {gone} (No such file or directory). Choose another folder."
    )
    assert said(OutputError, lambda: read_splits(gone)) == (
        f"{gone} is missing or not a list of splits. Give the folder of a finished run, or run it again."
    )


def test_errors_of_label_fractions_name_the_fix() -> None:
    def subset(fraction: float, count: int) -> np.ndarray:
        return label_subset(
            np.ones((3, 1), np.uint8), candidates=np.arange(count), fraction=fraction, groups=None, seed=0
        )

    assert said(ConfigError, lambda: subset(2.0, 3)) == (
        "The label fraction 2.0 is outside (0, 1]. Give a share such as 0.01, 0.1 or 1."
    )
    assert said(DataError, lambda: subset(0.5, 0)) == (
        "No training image has a label. Label some images of the train split."
    )


def test_one_image_without_a_finding_counts_as_one_label() -> None:
    none = np.zeros((20, 2), np.uint8)
    assert len(label_subset(none, candidates=np.arange(20), fraction=0.01, groups=None, seed=0)) == 1
