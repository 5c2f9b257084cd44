"""The cheap part of an audit, at the start of every training run."""

from __future__ import annotations

import logging

import numpy as np
from numpy.typing import NDArray

from cass.auditing.classes import class_findings
from cass.auditing.duplicates import copies
from cass.data.store.store import ImageStore
from cass.errors import DataError
from cass.listing import plural
from cass.runs.inputs import Plan
from cass.types import Caution

LOOKED_AT = 256
"""Training images whose pixels are looked at before training."""

log = logging.getLogger("cass")


def guard(plan: Plan, *, source: str, allow_leakage: bool) -> list[Caution]:
    """Stop where splits leak, and warn of labels that cannot be right or be evaluated.

    Args:
        plan: The data set with its splits.
        source: What the user named it.
        allow_leakage: Whether to go on where the splits leak; the caller states ``plan.leaks`` in its summary.

    Returns:
        What it warned of.

    Raises:
        DataError: Given splits cut through a group or through copies of one image.
    """
    if plan.leaks and not allow_leakage:
        raise DataError(
            plan.leaks[0],
            f"Make splits with cass split {source} --out safe.csv, or pass --allow-leakage, which every report "
            "will state.",
        )
    found: list[Caution] = [{"code": "leakage", "message": leak} for leak in plan.leaks]
    found += _warnings(plan)
    for caution in found:
        log.warning("%s", caution["message"])
    return found


def guard_pixels(images: ImageStore, rows: NDArray[np.int64], *, source: str) -> list[Caution]:
    """Stop where training images show nothing, and warn where most of them do not.

    Args:
        images: The decoded images.
        rows: Rows of the readable training images; up to :data:`LOOKED_AT` of them are looked at.
        source: What the user named the data set.

    Returns:
        What it warned of.

    Raises:
        DataError: Every one of them is of a single colour.
    """
    places = np.linspace(0, len(rows) - 1, min(LOOKED_AT, len(rows))).round().astype(np.int64)
    pixels = images.pixels(rows[places])
    flat = (pixels.max(axis=(1, 2)) == pixels.min(axis=(1, 2))).all(axis=1)
    counted = f"{flat.sum()} of {plural(len(flat), 'training image')} looked at are of a single colour"
    advice = f"Check the files and their intensities: cass audit {source}."
    if flat.all():
        raise DataError(f"{source}: {counted}", advice)
    if flat.mean() <= 0.5:
        return []
    caution: Caution = {"code": "constant-images", "message": f"{counted}. {advice}"}
    log.warning("%s", caution["message"])
    return [caution]


def _warnings(plan: Plan) -> list[Caution]:
    """Say what an audit would, where it costs no decoding; a line each."""
    manifest = plan.manifest
    conflicts = []
    for rows in copies(plan.digests):
        labelled = rows[manifest.labelled[rows]]
        if len(np.unique(manifest.targets[labelled], axis=0)) > 1:
            names = " and ".join(repr(manifest.images[row]) for row in labelled[:2])
            conflicts.append(f"{names} are the same image with different labels.")
    found: list[Caution] = []
    if conflicts:
        more = f" {len(conflicts) - 1} more sets of identical files also have different labels: see cass audit."
        found.append(
            {"code": "conflicting-labels", "message": conflicts[0] + (more if len(conflicts) > 1 else "")}
        )
    if manifest.classes:
        found += [
            {"code": finding.topic, "message": finding.what}
            for finding in class_findings(manifest, plan.splits)
            if finding.level == "warning"
        ]
    return found
