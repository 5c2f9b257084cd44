"""``cass split``: splits that keep patients, copies and near-duplicates together."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cass.auditing.facts import facts_of_set, take
from cass.auditing.safe_splits import safe_splits
from cass.config.split import SplitConfig
from cass.data.manifest.csv_text import manifest_csv
from cass.data.manifest.manifest import Manifest
from cass.files import write_named
from cass.listing import warn_unreadable
from cass.reports.lines import unreadable_files
from cass.resolve.split import resolve_split
from cass.types import SPLITS

log = logging.getLogger("cass")


@dataclass(frozen=True)
class SplitResult:
    """Splits of a data set.

    Attributes:
        out: The CSV.
        counts: Images of each split.
        unreadable: Reason by name of each unreadable file; the CSV does not list it.
    """

    out: Path
    counts: dict[str, int]
    unreadable: dict[str, str]


def run_split(config: SplitConfig, resolved: Manifest | None = None) -> SplitResult:
    """Write a manifest whose splits keep groups, exact copies and near-duplicates together.

    Classes are distributed evenly. Splits that the data set has are replaced; unreadable files are not listed.

    Args:
        config: Settings of ``cass split``.
        resolved: What :func:`resolve_split` returned; None calls it.

    Returns:
        The CSV file and the number of images in each split.

    Raises:
        CassError: The data set cannot be used, or the file exists or cannot be written.
    """
    manifest = resolved or resolve_split(config)
    facts = facts_of_set(manifest)
    kept = np.flatnonzero(facts.readable)
    unreadable = {manifest.images[row]: why for row, why in sorted(facts.errors.items())}
    warn_unreadable(unreadable)
    manifest, facts = manifest.subset(kept), take(facts, kept)
    splits = safe_splits(manifest, facts, seed=config.seed, ratios=config.ratios)
    made = replace(manifest, splits=splits)
    write_named(config.out, manifest_csv(made, folder=config.out.parent))
    counted = Counter(splits.tolist())
    return SplitResult(config.out, {name: counted[name] for name in SPLITS}, unreadable)


def show(result: SplitResult, config: SplitConfig) -> Iterator[str]:
    """Yield what the command prints."""
    counts = ", ".join(f"{name} {count:,}" for name, count in result.counts.items())
    yield f"Wrote {result.out}: {counts}{unreadable_files(result.unreadable)}"
