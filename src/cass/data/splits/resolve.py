"""Who trains, who validates, who tests: splits made, given, or taken over from an earlier run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cass.data.manifest.manifest import Manifest
from cass.data.splits.allocation import share_out
from cass.errors import DataError
from cass.groups import group_codes, join_copies
from cass.listing import plural
from cass.types import SPLITS, Split

FindFamilies = Callable[[Manifest, Sequence[str]], NDArray[np.int64]]
"""Finds near-duplicates: of N images and their digests, (N,) family numbers."""


@dataclass(frozen=True, eq=False)
class ResolvedSplits:
    """The split of every image of a manifest.

    Attributes:
        splits: (N,) of ``train``, ``val``, ``test``.
        source: ``given`` by the user, taken over from the pretraining ``run``, or ``made`` by cass.
        notes: What the user should know about them, one sentence each.
        leaks: Where given splits cut through groups or through copies of one image, one sentence each.
    """

    splits: NDArray[np.str_]
    source: Literal["given", "run", "made"]
    notes: tuple[str, ...]
    leaks: tuple[str, ...] = ()


def make_splits(
    targets: NDArray[np.uint8],
    *,
    groups: NDArray[np.str_] | None,
    labelled: NDArray[np.bool_],
    seed: int,
    ratios: tuple[float, float, float] = (0.7, 0.1, 0.2),
) -> NDArray[np.str_]:
    """Split images into train, val and test, stratified by label, never splitting a group.

    Every class is in train first; unlabelled images, and labelled ones without any positive class,
    are strata of their own. The same seed gives the same splits.

    Args:
        targets: (N, K) 0/1 indicator, one or several classes an image.
        groups: (N,) group names, ``""`` for an image on its own, or None.
        labelled: (N,) bool.
        seed: 0 or more.
        ratios: Shares of train, val and test, each above 0.

    Returns:
        (N,) of ``train``, ``val``, ``test``; each occurs.

    Raises:
        DataError: Fewer than three groups, or so few that each is the only one of its class; add
            images or give a split column.
    """
    codes = group_codes(groups, count=len(targets))
    part = share_out(targets, codes=codes, labelled=labelled, seed=seed, ratios=ratios)
    return np.array(SPLITS)[part]


def resolve_splits(
    manifest: Manifest,
    *,
    digests: Sequence[str],
    seed: int,
    known: Mapping[str, Split] | None,
    all_new_test: bool = False,
    families: FindFamilies | None = None,
) -> ResolvedSplits:
    """Find the split of every image.

    Splits in the manifest are honoured; where they have no ``val``, an eighth of ``train`` becomes it.
    Without them, an image that an earlier run knew (by content) keeps that run's split, its group
    follows it, and the rest is split 70/10/20. In splits that cass makes, exact copies and near-duplicates of an
    image stay together as a group does.

    Args:
        manifest: N images.
        digests: Their N content digests.
        seed: Seed of what is made here, 0 or more.
        known: Digest -> split in the run that this one builds on, or None.
        all_new_test: Whether all images that the run does not know are test images, as for an evaluation; else
            they are split.
        families: Finds the families of near-duplicates; called only where splits have to be made.

    Returns:
        The splits and what to tell the user.

    Raises:
        DataError: A test image of the manifest was trained on in the earlier run (pretrain again on
            this manifest), or there are too few groups to split (add images or give splits).
    """
    if manifest.splits is not None:
        return _honour(manifest, manifest.splits, digests=digests, seed=seed, known=known or {}, families=families)
    codes = _codes(manifest, digests)
    inherited = _inherit(codes, digests, known or {})
    if all_new_test:
        inherited[inherited == ""] = "test"
        return ResolvedSplits(inherited, "run", ())
    if (inherited == "").any():
        codes = _codes(manifest, digests, families)
        inherited = _inherit(codes, digests, known or {})
    if not (inherited != "").any():
        part = share_out(manifest.targets, codes=codes, labelled=manifest.labelled, seed=seed)
        note = "None of the images was in the pretraining run; new splits were made."
        return ResolvedSplits(np.array(SPLITS)[part], "made", (note,) if known else ())

    recognised = sum(digest in (known or {}) for digest in digests)
    notes = [f"{recognised} of {len(manifest)} images keep the split they had in the pretraining run."]
    followers = len(manifest) - recognised - int((inherited == "").sum())
    if followers:
        notes.append(f"{followers} new images share a group with one of these and follow it.")
    notes += _split_new(manifest, inherited, codes, seed=seed)
    return ResolvedSplits(inherited, "run", tuple(notes))


def _split_new(manifest: Manifest, splits: NDArray[np.str_], codes: NDArray[np.int64], *, seed: int) -> list[str]:
    """Fill in the splits that are empty; returns what to tell the user."""
    new = np.flatnonzero(splits == "")
    if not len(new):
        return []
    if len(np.unique(codes[new])) < len(SPLITS):
        splits[new] = "train"
        return [f"{len(new)} images were not in that run; too few to split, they train."]
    rest = np.unique(codes[new], return_inverse=True)[1].astype(np.int64)
    part = share_out(manifest.targets[new], codes=rest, labelled=manifest.labelled[new], seed=seed)
    splits[new] = np.array(SPLITS)[part]
    return [f"{len(new)} images were not in that run and were split 70/10/20."]


def require_training_images(manifest: Manifest, splits: NDArray[np.str_], *, name: str = "the data") -> None:
    """Make sure that every class that occurs has a labelled training image.

    Args:
        manifest: N images.
        splits: (N,) of ``train``, ``val``, ``test``.
        name: What to call the manifest in the message.

    Raises:
        DataError: A class occurs in val or test alone; move images of it into train or remove it.
    """
    for column, label in enumerate(manifest.classes):
        where = {str(split) for split in splits[manifest.targets[:, column] == 1]}
        if where and "train" not in where:
            only = " and ".join(sorted(where, reverse=True))
            raise DataError(
                f"In {name} the label {label!r} only occurs in the {only} split, so it cannot be learned",
                "Move images of it into the train split, or take it out.",
            )


def _honour(
    manifest: Manifest,
    given: NDArray[np.str_],
    *,
    digests: Sequence[str],
    seed: int,
    known: Mapping[str, Split],
    families: FindFamilies | None,
) -> ResolvedSplits:
    """Splits of the user, completed and checked against the earlier run."""
    train = np.flatnonzero(given == "train").tolist()
    # Copies of the manifest's own train images are the user's doing: noted below, not this run's leak.
    own = {digests[i] for i in train}
    leaked = [
        i
        for i in np.flatnonzero(given == "test").tolist()
        if known.get(digests[i]) == "train" and digests[i] not in own
    ]
    if leaked:
        raise DataError(
            f"{len(leaked)} test images were trained on in the pretraining run, "
            f"the first {manifest.images[leaked[0]]!r}",
            "Pretrain again on this very CSV, so that its test images are left out.",
        )
    splits = given.astype("<U5")
    notes = []
    if not train:
        # Enough to evaluate or predict with; training asks for train images itself.
        notes.append("The given splits have no train images; nothing can be trained on them.")
    elif not (given == "val").any():
        codes = _codes(manifest, digests, families)[train]
        if len(np.unique(codes)) < 2:
            raise DataError(
                f"All train images of {manifest.root} are one group, so none of them can become val",
                "Mark other images as val.",
            )
        codes = np.unique(codes, return_inverse=True)[1].astype(np.int64)
        part = share_out(
            manifest.targets[train], codes=codes, labelled=manifest.labelled[train], seed=seed, ratios=(7, 1)
        )
        splits[np.array(train)[part == 1]] = "val"
        notes.append(f"The given splits have no val: {int(part.sum())} of {len(train)} train images became it.")
    if not (given == "test").any():
        notes.append("The given splits have no test images; nothing can be evaluated on them.")
    return ResolvedSplits(splits, "given", tuple(notes), _straddling(manifest, given, digests=digests))


def _codes(manifest: Manifest, digests: Sequence[str], families: FindFamilies | None = None) -> NDArray[np.int64]:
    """(N,) codes of what must stay together: groups, exact copies and, where asked for, near-duplicates."""
    codes = join_copies(group_codes(manifest.groups, count=len(manifest)), digests)
    return codes if families is None else join_copies(codes, families(manifest, digests).astype(np.str_).tolist())


def _straddling(manifest: Manifest, given: NDArray[np.str_], *, digests: Sequence[str]) -> tuple[str, ...]:
    """Say where given splits cut through groups or through copies of one image."""
    leaks = []
    keys = {
        ("group", "groups"): manifest.groups,
        ("image with exact copies", "images with exact copies"): np.array(digests, dtype=np.str_),
    }
    for what, names in keys.items():
        if names is None:
            continue
        where: dict[str, set[str]] = {}
        first: dict[str, str] = {}
        for name, split, image in zip(names.tolist(), given.tolist(), manifest.images, strict=True):
            if name:
                where.setdefault(name, set()).add(split)
                first.setdefault(name, image)
        cut = [name for name, splits in where.items() if len(splits) > 1]
        if cut:
            leaks.append(
                f"The given splits put {plural(len(cut), *what)} into more than one split (first: the one of "
                f"{first[cut[0]]!r}): test images resemble training images, so scores will be too high."
            )
    return tuple(leaks)


def _inherit(codes: NDArray[np.int64], digests: Sequence[str], known: Mapping[str, Split]) -> NDArray[np.str_]:
    """(N,) splits of the earlier run by image, then by group; ``""`` where neither is known."""
    own = [known.get(digest) for digest in digests]
    group: dict[int, Split] = {}
    for code, split in zip(codes.tolist(), own, strict=True):
        if split is not None:
            # A group that the run has in several splits: its new images must not become test images.
            group[code] = min(group.get(code, split), split, key=SPLITS.index)
    return np.array(
        [
            "" if (found := split or group.get(code)) is None else str(found)
            for code, split in zip(codes.tolist(), own, strict=True)
        ],
        dtype="<U5",
    )
