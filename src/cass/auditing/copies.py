"""Checks across files: copies, near-duplicates and groups, and where splits cut through them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cass.auditing.duplicates import Ints, copies, families, members
from cass.auditing.facts import ImageFacts
from cass.auditing.findings import Finding, Level
from cass.auditing.kept_pairs import kept_pairs
from cass.data.manifest.manifest import Manifest
from cass.listing import MOST_NAMED, plural


def check_copies(
    manifest: Manifest, facts: ImageFacts, splits: NDArray[np.str_], *, split_command: str
) -> list[Finding]:
    """Check for images that are in the set more than once, and for groups that lie in several splits.

    Args:
        manifest: N images.
        facts: Their facts.
        splits: (N,) of ``train``, ``val``, ``test``.
        split_command: The command that makes splits which keep copies and groups together.

    Returns:
        What was found.
    """
    exact = copies([digest if row not in facts.errors else "" for row, digest in enumerate(facts.digests)])
    near = members(families(kept_pairs(manifest, facts.digests, facts), count=len(manifest)))
    found = []
    if exact:
        extra = sum(len(rows) - 1 for rows in exact)
        what = (
            f"{plural(sum(map(len, exact)), 'file')} in {plural(len(exact), 'set')} of identical files: "
            f"{plural(extra, 'redundant file')}."
        )
        found.append(_family_finding("warning", "copies", what, f"{split_command}   # keeps them together", exact))
    if near:
        what = (
            f"{plural(sum(map(len, near)), 'image')} in {plural(len(near), 'family', 'families')} of "
            f"near-duplicates, the largest of {len(near[0]):,}. {_most_of_class(manifest, np.concatenate(near))}"
        )
        found.append(_family_finding("note", "near-duplicates", what, "", near))
    found += _across_splits("near-duplicates", "families of near-duplicates", near, splits, split_command)
    found += _across_splits("copies", "sets of identical files", exact, splits, split_command)
    found += _across_splits("groups", "groups", _named_groups(manifest), splits, split_command)
    return [*found, *_conflicts(manifest, exact, near)]


def _family_finding(level: Level, topic: str, what: str, fix: str, rows: Sequence[Ints]) -> Finding:
    shown = tuple(tuple(part[:MOST_NAMED].tolist()) for part in rows[:MOST_NAMED])
    return Finding(level, topic, what, fix, families=shown)


def _most_of_class(manifest: Manifest, rows: Ints) -> str:
    """Say of which class most near-duplicates are."""
    if manifest.task != "multiclass" or not manifest.classes:
        return ""
    own = manifest.targets[rows].sum(axis=0)
    most = int(own.argmax())
    return (
        f"{own[most]:,} of them are among the {manifest.targets[:, most].sum():,} of {manifest.classes[most]!r}."
    )


def _named_groups(manifest: Manifest) -> list[Ints]:
    if manifest.groups is None:
        return []
    named = np.flatnonzero(manifest.groups != "")
    codes = np.unique(manifest.groups[named], return_inverse=True)[1]
    return [named[part] for part in members(codes.astype(np.int64))]


def _across_splits(
    topic: str, words: str, parts: Sequence[Ints], splits: NDArray[np.str_], split_command: str
) -> list[Finding]:
    """Report what lies in more than one split."""
    cut = [rows for rows in parts if len(np.unique(splits[rows])) > 1]
    if not cut:
        return []
    joined = np.concatenate(cut)
    tested = joined[splits[joined] == "test"]
    what = (
        f"{len(cut):,} of {len(parts):,} {words} lie in more than one split ({plural(len(joined), 'image')}, "
        f"{len(tested):,} of them test images): test images resemble training images, so scores will be too high."
    )
    shown = [_one_of_each(rows, splits) for rows in cut]
    return [_family_finding("serious", f"leakage: {topic}", what, split_command, shown)]


def _one_of_each(rows: Ints, splits: NDArray[np.str_]) -> Ints:
    """Put a row of each split first, so that what is shown lies in different ones."""
    first = np.unique(splits[rows], return_index=True)[1]
    return np.concatenate([rows[first], np.delete(rows, first)])


def _conflicts(manifest: Manifest, exact: Sequence[Ints], near: Sequence[Ints]) -> list[Finding]:
    """Report the same image under different labels."""
    found = []
    levels: list[tuple[Level, tuple[str, str], Sequence[Ints]]] = [
        ("serious", ("set of identical files", "sets of identical files"), exact),
        ("warning", ("family of near-duplicates", "families of near-duplicates"), near),
    ]
    for level, words, parts in levels:
        disagreeing = []
        for rows in parts:
            labelled = rows[manifest.labelled[rows]]
            if len(np.unique(manifest.targets[labelled], axis=0)) > 1:
                disagreeing.append(labelled)
        if disagreeing:
            has = "has" if len(disagreeing) == 1 else "have"
            what = f"{plural(len(disagreeing), *words)} {has} different labels."
            found.append(
                _family_finding(level, "labels", what, "Check them and correct the label column.", disagreeing)
            )
    return found
