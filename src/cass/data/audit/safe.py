"""Splits that keep together whatever shows the same: groups, copies, near-duplicates."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cass.data.allocation import share_out
from cass.data.audit.duplicates import families, near_pairs
from cass.data.audit.facts import ImageFacts
from cass.data.identity import join_copies
from cass.data.manifest import Manifest
from cass.groups import group_codes
from cass.types import SPLITS


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
    codes = group_codes(manifest.groups, count=len(manifest))
    near = families(near_pairs(facts), count=len(manifest))
    for names in (near.astype(np.str_).tolist(), facts.digests):
        codes = join_copies(codes, names)
    part = share_out(manifest.targets, codes=codes, labelled=manifest.labelled, seed=seed, ratios=ratios)
    return np.array(SPLITS)[part]


def manifest_csv(
    manifest: Manifest, splits: NDArray[np.str_], *, folder: Path, label_columns: Sequence[str]
) -> str:
    """Write a manifest with its splits as CSV.

    Args:
        manifest: N images.
        splits: (N,) of split names.
        folder: Folder that the CSV will lie in, which its paths are relative to.
        label_columns: 0/1 columns to write labels in; empty writes one column ``label``.

    Returns:
        The CSV: ``image``, the labels, ``group`` where there are groups, ``split``, and all other columns.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    labels = list(label_columns) or (["label"] if manifest.classes else [])
    groups = [] if manifest.groups is None else ["group"]
    writer.writerow(["image", *labels, *groups, "split", *manifest.metadata])
    root = os.path.relpath(manifest.root.resolve(), folder.resolve())
    others = manifest.metadata.to_numpy(dtype=np.str_)
    for row, image in enumerate(manifest.images):
        line = [os.path.normpath(os.path.join(root, image)).replace(os.sep, "/")]
        if label_columns:
            flags = dict(zip(manifest.classes, manifest.targets[row], strict=True))
            line += [str(flags[name]) if manifest.labelled[row] else "" for name in label_columns]
        elif labels:
            line.append(
                "|".join(name for name, flag in zip(manifest.classes, manifest.targets[row], strict=True) if flag)
            )
        line += [] if manifest.groups is None else [str(manifest.groups[row])]
        writer.writerow([*line, str(splits[row]), *others[row]])
    return text.getvalue()
