from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cass.data.manifest.manifest import Manifest, load_manifest
from cass.data.splits.resolve import make_splits, require_training_images, resolve_splits
from cass.errors import DataError
from cass.types import SPLITS

Write = Callable[..., Path]
SHARED = Path(__file__).resolve().parents[4] / "shared" / "data"


def _one_hot(labels: np.ndarray, classes: int) -> np.ndarray:
    return np.eye(classes, dtype=np.uint8)[labels]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(20, 200), st.integers(1, 6), st.booleans(), st.booleans())
def test_groups_stay_whole_and_train_sees_every_class(
    seed: int, n: int, classes: int, multi: bool, grouped: bool
) -> None:
    rng = np.random.default_rng(seed)
    targets = (
        (rng.random((n, classes)) < 0.2).astype(np.uint8)
        if multi
        else _one_hot(rng.integers(0, classes, n), classes)
    )
    labelled = rng.random(n) < 0.7
    targets[~labelled] = 0
    groups = rng.choice(["", *(f"p{i}" for i in range(20))], n) if grouped else None
    splits = make_splits(targets, groups=groups, labelled=labelled, seed=seed)
    assert set(splits) == set(SPLITS)
    if groups is not None:
        for group in set(groups) - {""}:
            assert len(set(splits[groups == group])) == 1
    assert (targets[splits == "train"].any(axis=0) == targets.any(axis=0)).all()
    assert (splits == make_splits(targets, groups=groups, labelled=labelled, seed=seed)).all()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.lists(st.integers(1, 90), min_size=1, max_size=6))
def test_each_class_is_near_the_ratios(seed: int, sizes: list[int]) -> None:
    labels = np.repeat(np.arange(len(sizes)), sizes)
    if len(labels) < 20:
        return
    targets = _one_hot(labels, len(sizes))
    splits = make_splits(targets, groups=None, labelled=np.ones(len(labels), bool), seed=seed)
    for split, ratio in zip(SPLITS, (0.7, 0.1, 0.2), strict=True):
        per_class = targets[splits == split].sum(axis=0)
        assert np.abs(per_class - ratio * np.array(sizes)).max() < 2
        assert abs((splits == split).sum() - ratio * len(labels)) < 1.5 + 0.5 * len(sizes)


def test_small_parts_are_not_rounded_away_in_many_small_classes() -> None:
    targets = _one_hot(np.repeat(np.arange(30), 3), 30)
    splits = make_splits(targets, groups=None, labelled=np.ones(90, bool), seed=0)
    counts = [int((splits == split).sum()) for split in SPLITS]
    assert np.abs(np.array(counts) - [63, 9, 18]).max() <= 3


def test_groups_of_unequal_size_come_near_the_ratios() -> None:
    rng = np.random.default_rng(0)
    sizes = rng.geometric(0.1, 120)
    groups = np.repeat([f"p{i}" for i in range(120)], sizes)
    targets = _one_hot(np.repeat(rng.integers(0, 4, 120), sizes), 4)
    splits = make_splits(targets, groups=groups, labelled=np.ones(len(groups), bool), seed=0)
    for column in range(4):
        of_class = splits[targets[:, column] == 1]
        shares = [(of_class == split).mean() for split in SPLITS]
        assert np.abs(np.array(shares) - [0.7, 0.1, 0.2]).max() < 0.06


def test_unlabelled_images_are_for_training() -> None:
    targets = np.zeros((200, 1), dtype=np.uint8)
    targets[:20] = 1
    labelled = targets[:, 0] == 1
    splits = make_splits(targets, groups=None, labelled=labelled, seed=0)
    assert [int((splits[labelled] == split).sum()) for split in SPLITS] == [14, 2, 4]
    assert [int((splits[~labelled] == split).sum()) for split in SPLITS] == [180, 0, 0]


def test_multilabel_is_stratified_in_every_class() -> None:
    rng = np.random.default_rng(1)
    targets = (rng.random((1000, 5)) < [0.5, 0.2, 0.1, 0.05, 0.02]).astype(np.uint8)
    splits = make_splits(targets, groups=None, labelled=np.ones(1000, bool), seed=0)
    for split, ratio in zip(SPLITS, (0.7, 0.1, 0.2), strict=True):
        shares = targets[splits == split].sum(axis=0) / targets.sum(axis=0)
        assert np.abs(shares - ratio).max() < 0.06


def test_another_seed_gives_another_split() -> None:
    targets = _one_hot(np.arange(60) % 2, 2)
    first, second = (make_splits(targets, groups=None, labelled=np.ones(60, bool), seed=seed) for seed in (0, 1))
    assert (first != second).any()


def test_too_few_groups() -> None:
    labelled = np.ones(6, bool)
    with pytest.raises(DataError, match="6 images in 2 groups cannot be split"):
        make_splits(np.ones((6, 1), np.uint8), groups=np.array(list("aaabbb")), labelled=labelled, seed=0)
    with pytest.raises(DataError, match="only one of its class"):
        make_splits(np.eye(6, dtype=np.uint8), groups=None, labelled=labelled, seed=0)
    three = make_splits(np.ones((3, 1), np.uint8), groups=None, labelled=labelled[:3], seed=0)
    assert sorted(three) == sorted(SPLITS)


def _manifest(write_csv: Write, rows: list[str], header: str = "image,label,group,split") -> Manifest:
    return load_manifest(write_csv("\n".join([header, *rows]) + "\n"))


def _digests(manifest: Manifest) -> list[str]:
    return [f"digest of {image}" for image in manifest.images]


def test_given_splits_are_honoured(write_csv: Write) -> None:
    rows = ["a.png,x,g,train", "b.png,x,h,val", "c.png,x,i,test"]
    manifest = _manifest(write_csv, rows)
    resolved = resolve_splits(manifest, digests=_digests(manifest), seed=0, known=None)
    assert resolved.splits.tolist() == ["train", "val", "test"]
    assert resolved.source == "given"
    assert resolved.notes == ()


def test_missing_val_is_an_eighth_of_train_without_cutting_groups(write_csv: Write) -> None:
    rows = [f"{i}.png,{'xy'[i % 2]},g{i // 2},{'test' if i >= 64 else 'train'}" for i in range(80)]
    manifest = _manifest(write_csv, rows)
    resolved = resolve_splits(manifest, digests=_digests(manifest), seed=0, known=None)
    assert resolved.splits[64:].tolist() == ["test"] * 16
    val = resolved.splits == "val"
    assert val.sum() == 8
    assert manifest.targets[val].sum(axis=0).tolist() == [4, 4]
    assert (val[0::2] == val[1::2]).all()
    assert "8 of 64" in resolved.notes[0]


def test_splits_without_test_or_train_are_noted(write_csv: Write) -> None:
    manifest = _manifest(write_csv, ["a.png,x,,train", "b.png,x,,val"])
    assert "no test" in resolve_splits(manifest, digests=_digests(manifest), seed=0, known=None).notes[0]
    manifest = _manifest(write_csv, ["a.png,x,,test", "b.png,x,,test"])
    assert "no train" in resolve_splits(manifest, digests=_digests(manifest), seed=0, known=None).notes[0]


def test_one_train_group_cannot_give_val(write_csv: Write) -> None:
    manifest = _manifest(write_csv, ["a.png,x,g,train", "b.png,x,g,train", "c.png,x,h,test"])
    with pytest.raises(DataError, match="one group"):
        resolve_splits(manifest, digests=_digests(manifest), seed=0, known=None)


def test_groups_and_copies_across_given_splits_are_noted_not_refused(write_csv: Write) -> None:
    manifest = _manifest(write_csv, ["a.png,x,g,train", "b.png,x,g,val", "c.png,x,h,test"])
    resolved = resolve_splits(manifest, digests=["d", "e", "d"], seed=0, known={"d": "train"})
    assert resolved.splits.tolist() == ["train", "val", "test"]
    assert len(resolved.leaks) == 2
    assert "1 group into" in resolved.leaks[0]
    assert "exact copies" in resolved.leaks[1]


def test_a_test_image_that_pretraining_saw_is_refused(write_csv: Write) -> None:
    manifest = _manifest(write_csv, ["a.png,x,,train", "b.png,x,,val", "c.png,x,,test", "d.png,x,,test"])
    digests = _digests(manifest)
    known = dict.fromkeys(digests, "train")
    with pytest.raises(DataError, match=r"2 test images were trained on .* first 'c\.png'\. Pretrain again"):
        resolve_splits(manifest, digests=digests, seed=0, known=known)
    known |= {digests[2]: "test", digests[3]: "val"}
    assert resolve_splits(manifest, digests=digests, seed=0, known=known).source == "given"


def test_made_splits_keep_copies_together(write_csv: Write) -> None:
    manifest = _manifest(write_csv, [f"{i}.png,{'xy'[i % 2]}" for i in range(60)], "image,label")
    digests = [f"{i // 4}" for i in range(60)]
    resolved = resolve_splits(manifest, digests=digests, seed=0, known=None)
    assert resolved.source == "made"
    for start in range(0, 60, 4):
        assert len(set(resolved.splits[start : start + 4])) == 1


def test_images_of_an_earlier_run_keep_its_splits(write_csv: Write) -> None:
    rows = [f"{i}.png,{'xy'[i % 2]},{'shared' if i in (0, 40) else ''}" for i in range(80)]
    manifest = _manifest(write_csv, rows, "image,label,group")
    digests = _digests(manifest)
    first = {digest: SPLITS[(i + 2) % 3] for i, digest in enumerate(digests[:40])}
    resolved = resolve_splits(manifest, digests=digests, seed=0, known=first)
    assert resolved.source == "run"
    assert resolved.splits[:40].tolist() == list(first.values())
    assert resolved.splits[40] == resolved.splits[0] == "test"
    assert set(resolved.splits[41:]) == set(SPLITS)
    assert "40 of 80" in resolved.notes[0]
    assert "1 new images share a group" in resolved.notes[1]
    assert "39 images were not in that run" in resolved.notes[2]


def test_a_new_image_of_a_group_that_was_trained_on_trains(write_csv: Write) -> None:
    manifest = _manifest(write_csv, ["a.png,x,g", "b.png,x,g", "c.png,x,g"], "image,label,group")
    resolved = resolve_splits(manifest, digests=["a", "b", "c"], seed=0, known={"a": "test", "b": "train"})
    assert resolved.splits.tolist() == ["test", "train", "train"]


def test_one_new_image_trains(write_csv: Write) -> None:
    manifest = _manifest(write_csv, ["a.png,x", "b.png,x"], "image,label")
    resolved = resolve_splits(manifest, digests=["a", "b"], seed=0, known={"a": "test"})
    assert resolved.splits.tolist() == ["test", "train"]


def test_a_run_on_other_images_changes_nothing(write_csv: Write) -> None:
    manifest = _manifest(write_csv, [f"{i}.png,x" for i in range(20)], "image,label")
    made = resolve_splits(manifest, digests=_digests(manifest), seed=0, known=None)
    other = resolve_splits(manifest, digests=_digests(manifest), seed=0, known={"other": "test"})
    assert other.source == "made"
    assert (other.splits == made.splits).all()
    assert "None of the images" in other.notes[0]


def test_a_label_only_in_the_test_split(write_csv: Write) -> None:
    manifest = _manifest(write_csv, ["a.png,x,,train", "b.png,x,,val", "c.png,rare,,test"])
    assert manifest.splits is not None
    with pytest.raises(DataError, match=r"In list\.csv the label 'rare' only occurs in the test split"):
        require_training_images(manifest, manifest.splits, name="list.csv")
    require_training_images(manifest.subset([0, 1]), manifest.splits[:2])


def test_real_sets_can_be_split_again() -> None:
    path = SHARED / "brain-tumour-mri" / "labels.csv"
    if not path.is_file():
        pytest.skip("no brain-tumour-mri in ../shared/data beside the repository")
    manifest = load_manifest(path)
    assert manifest.groups is not None
    splits = make_splits(manifest.targets, groups=manifest.groups, labelled=manifest.labelled, seed=0)
    for column in range(4):
        of_class = splits[manifest.targets[:, column] == 1]
        shares = [(of_class == split).mean() for split in SPLITS]
        assert np.abs(np.array(shares) - [0.7, 0.1, 0.2]).max() < 0.02
    for group in set(manifest.groups):
        assert len(set(splits[manifest.groups == group])) == 1


@pytest.mark.parametrize("seed", range(3))
def test_large_patients_with_both_classes_keep_the_ratios(seed: int) -> None:
    rng = np.random.default_rng(7)
    ill = rng.integers(0, 120, 150) ** 2 // 20  # few patients have most of the ill cells
    well = rng.integers(20, 120, 150)
    groups = np.repeat([f"patient{index}" for index in range(150)], ill + well)
    labels = np.concatenate([np.repeat([0, 1], pair) for pair in zip(ill, well, strict=True)])
    targets = np.eye(2, dtype=np.uint8)[labels]
    splits = make_splits(targets, groups=groups, labelled=np.ones(len(targets), dtype=bool), seed=seed)
    for chosen in (slice(None), labels == 0, labels == 1):
        shares = [float((splits[chosen] == name).mean()) for name in ("train", "val", "test")]
        assert shares == pytest.approx([0.7, 0.1, 0.2], abs=0.03)
