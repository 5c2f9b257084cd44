"""From what the user names to decoded images with splits."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cass.data.formats.identity import image_digests
from cass.data.manifest.manifest import Manifest
from cass.data.splits.resolve import FindFamilies, resolve_splits
from cass.data.store.cache import cached_images
from cass.data.store.store import ImageStore, any_deep, check_unreadable, decode_images
from cass.errors import DataError
from cass.files import cache_folder
from cass.types import SPLITS, Split

log = logging.getLogger("cass")


@dataclass(frozen=True)
class Plan:
    """A data set with the split of every image; nothing is decoded yet.

    Attributes:
        manifest: The data set, N images.
        digests: Content digest of each image.
        splits: (N,) of ``train``, ``val`` and ``test``.
        source: Where the splits are from: ``given``, ``run`` or ``made``.
        leaks: What the splits cut apart that belongs together, one sentence each.
    """

    manifest: Manifest
    digests: list[str]
    splits: NDArray[np.str_]
    source: str
    leaks: tuple[str, ...] = ()

    def paths(self) -> list[Path]:
        """Return the files of all N images."""
        return [self.manifest.path(row) for row in range(len(self.manifest))]

    def rows(self, *names: Split) -> NDArray[np.int64]:
        """Return the rows of the named splits."""
        return np.flatnonzero(np.isin(self.splits, names))

    def counts(self) -> dict[str, dict[str, int]]:
        """Return the images and the labelled images of each split."""
        return {
            name: {
                "images": int((self.splits == name).sum()),
                "labelled": int(((self.splits == name) & self.manifest.labelled).sum()),
            }
            for name in SPLITS
        }


@dataclass(frozen=True)
class Inputs:
    """Decoded images of some rows of a plan; every row number counts within them.

    Attributes:
        manifest: The chosen part of the data set, M images.
        splits: (M,) of split names.
        images: The decoded images.
        unreadable: Reason by image name for those that could not be read.
    """

    manifest: Manifest
    splits: NDArray[np.str_]
    images: ImageStore
    unreadable: dict[str, str]

    def rows(self, name: Split, *, labelled: bool = False) -> NDArray[np.int64]:
        """Return the readable rows of a split, all or only those with a label."""
        chosen = self.splits == name
        if labelled:
            chosen &= self.manifest.labelled
        chosen[list(self.images.unreadable)] = False
        return np.flatnonzero(chosen)


def make_plan(
    manifest: Manifest,
    *,
    seed: int,
    known: Mapping[str, Split] | None = None,
    all_new_test: bool = False,
    families: FindFamilies | None = None,
    announce: bool = True,
) -> Plan:
    """Settle the splits of a data set.

    Args:
        manifest: The data set.
        seed: Seed of splits that cass makes.
        known: Split by content digest of an earlier run, or None.
        all_new_test: Whether all images that the earlier run does not know are test images.
        families: Finds the near-duplicates that splits made by cass keep together.
        announce: Whether to log the counts of each split and what is worth knowing about them.

    Returns:
        The plan.

    Raises:
        DataError: For a data set that cannot be used, or test images that an earlier run trained on.
    """
    digests = image_digests([manifest.path(row) for row in range(len(manifest))])
    resolved = resolve_splits(
        manifest, digests=digests, seed=seed, known=known, all_new_test=all_new_test, families=families
    )
    plan = Plan(manifest, digests, resolved.splits, resolved.source, resolved.leaks)
    if announce:
        _log_plan(plan, resolved.notes)
    return plan


def _log_plan(plan: Plan, notes: Sequence[str]) -> None:
    """Log what the set holds, how it is split, and what is worth knowing about it."""
    manifest = plan.manifest
    kind = "generated images (drawn by cass, not patients)" if manifest.generated else "images"
    origin = {"given": "as given", "run": "as in the run", "made": "made by cass, 70/10/20"}[plan.source]
    counts = ", ".join(
        f"{name} {entry['images']} ({entry['labelled']} labelled)" for name, entry in plan.counts().items()
    )
    log.info("%d %s; splits %s: %s.", len(manifest), kind, origin, counts)
    for note in notes:
        log.info("%s", note)


def kept_images(plan: Plan, *, image_size: int, in_chans: int, cache: str) -> ImageStore | None:
    """Take all images of a plan from the cache on disk; they are decoded into it where they are not there.

    Args:
        plan: The data set.
        image_size: Side of the square images, in pixels.
        in_chans: Channels.
        cache: ``auto``, ``off`` or a folder.

    Returns:
        The N images; None where the cache is off, or ``auto`` found no room.

    Raises:
        OutputError: A folder was named that cannot be written or has no room.
    """
    if cache == "off":
        return None
    return cached_images(
        plan.paths(),
        digests=plan.digests,
        image_size=image_size,
        in_chans=in_chans,
        folder=cache_folder() / "images" if cache == "auto" else Path(cache).expanduser(),
        required=cache != "auto",
    )


def decode(
    plan: Plan, rows: NDArray[np.int64], *, image_size: int, in_chans: int, purpose: str, cache: str
) -> Inputs:
    """Decode some images of a plan, or take them from the cache on disk.

    Args:
        plan: The data set.
        rows: Rows to decode.
        image_size: Side of the square images, in pixels.
        in_chans: Channels.
        purpose: What the images are for, for messages.
        cache: ``auto``, ``off`` or a folder.

    Returns:
        The decoded images.

    Raises:
        DataError: Where there is no image, or more than 5% cannot be read.
        OutputError: Where the cache or the temporary folder has no room.
    """
    if not len(rows):
        raise DataError(
            f"There are no images for {purpose}", "Check the split column, or let cass make the splits."
        )
    manifest = plan.manifest.subset(rows)
    kept = kept_images(plan, image_size=image_size, in_chans=in_chans, cache=cache)
    if kept is not None:
        images = kept.subset(rows)
    else:
        images = decode_images(
            [manifest.path(row) for row in range(len(manifest))],
            names=list(manifest.images),
            image_size=image_size,
            in_chans=in_chans,
            deep=any_deep(plan.paths()),  # of the whole set, as in the cache
        )
    check_unreadable(images.unreadable, total=len(manifest), names=list(manifest.images))
    unreadable = {manifest.images[row]: reason for row, reason in sorted(images.unreadable.items())}
    for name, reason in unreadable.items():
        log.warning("Unreadable: %s: %s", name, reason)
    return Inputs(manifest, plan.splits[rows], images, unreadable)
