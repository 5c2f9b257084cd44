"""``cass split``: splits that keep patients, copies and near-duplicates together."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from cass.auditing.facts import facts_of_set, take
from cass.auditing.safe_splits import safe_splits
from cass.config.base import build_config
from cass.config.split import SplitConfig
from cass.data.manifest.csv_text import manifest_csv
from cass.data.manifest.manifest import load_manifest
from cass.errors import ConfigError, OutputError
from cass.files import write_text
from cass.types import SPLITS

log = logging.getLogger("cass")


@dataclass(frozen=True)
class SplitResult:
    """Splits of a data set.

    Attributes:
        out: The CSV.
        counts: Images of each split.
        left_out: Files that cannot be read, which the CSV leaves out.
    """

    out: Path
    counts: dict[str, int]
    left_out: tuple[str, ...]


def split(data: str | Path, *, out: str | Path, **settings: Any) -> SplitResult:
    """Write a manifest with splits that keep together whatever shows the same.

    Groups, exact copies and near-duplicates stay in one split; classes are shared out evenly. Splits that the
    data set has are replaced; files that cannot be read are left out.

    Args:
        data: CSV manifest, folder, or ``generated``.
        out: CSV file to write; must not exist.
        settings: Fields of :class:`cass.config.split.SplitConfig` by name.

    Returns:
        The file and what is in it.

    Raises:
        CassError: For anything that the user can mend, in one line.
    """
    return run_split(build_config(SplitConfig, settings | {"data": str(data), "out": Path(out)}))


def run_split(config: SplitConfig) -> SplitResult:
    """Do what :func:`split` says, with a configuration that is already checked."""
    out = config.out
    if out.suffix.lower() != ".csv":
        raise ConfigError(f"--out {out} is no .csv file", "Name a file such as labels.csv.")
    if out.exists():
        raise OutputError(f"{out} exists already", "Name a new file with --out.")
    if not out.parent.is_dir():
        raise OutputError(f"The folder {out.parent} does not exist", "Make it, or name another with --out.")
    manifest = load_manifest(config.data, label_columns=config.label_columns)
    facts = facts_of_set(manifest)
    kept = np.flatnonzero(facts.readable)
    left_out = tuple(manifest.images[row] for row in sorted(facts.errors))
    for name in left_out[:20]:
        log.warning("Left out %s: it cannot be read.", name)
    manifest, facts = manifest.subset(kept), take(facts, kept)
    splits = safe_splits(manifest, facts, seed=config.seed, ratios=config.ratios)
    made = replace(manifest, splits=splits)
    write_text(out, manifest_csv(made, folder=out.parent, label_columns=config.label_columns))
    counted = Counter(splits.tolist())
    return SplitResult(out, {name: counted[name] for name in SPLITS}, left_out)
