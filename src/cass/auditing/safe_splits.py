"""Splits that keep together whatever shows the same: groups, copies, near-duplicates."""

from __future__ import annotations

import shlex

import numpy as np
from numpy.typing import NDArray

from cass.auditing.duplicates import families
from cass.auditing.facts import ImageFacts
from cass.auditing.kept_pairs import kept_pairs
from cass.config.audit import AuditConfig
from cass.config.wording import column_options
from cass.data.manifest.manifest import Manifest
from cass.data.splits.allocation import share_out
from cass.groups import group_codes, join_copies
from cass.types import SPLITS


def joined_groups(manifest: Manifest, facts: ImageFacts) -> NDArray[np.int64]:
    """Join groups that share a copy or a near-duplicate.

    Args:
        manifest: N images, all of them readable.
        facts: Their facts.

    Returns:
        (N,) codes of the joined groups, from 0.
    """
    codes = group_codes(manifest.groups, count=len(manifest))
    near = families(kept_pairs(manifest, facts.digests, facts), count=len(manifest))
    for names in (near.astype(np.str_).tolist(), facts.digests):
        codes = join_copies(codes, names)
    return codes


def safe_splits(
    manifest: Manifest, facts: ImageFacts, *, seed: int, ratios: tuple[float, float, float]
) -> NDArray[np.str_]:
    """Split images so that no group, copy or family of near-duplicates lies in two splits.

    Args:
        manifest: N images, all of them readable.
        facts: Their facts.
        seed: Seed; the same seed gives the same splits.
        ratios: Shares of train, val and test, each above 0.

    Returns:
        (N,) of ``train``, ``val``, ``test``; every class is in train first.

    Raises:
        DataError: What belongs together leaves too few parts to split.
    """
    codes = joined_groups(manifest, facts)
    part = share_out(manifest.targets, codes=codes, labelled=manifest.labelled, seed=seed, ratios=ratios)
    return np.array(SPLITS)[part]


def split_command(config: AuditConfig) -> str:
    """Return the command that makes safe splits of an audited set.

    Args:
        config: Settings of the audit: what the user named the set, and its columns.

    Returns:
        A line to paste into a shell.
    """
    return shlex.join(["cass", "split", config.data, *column_options(config), "--out", "safe.csv"])
