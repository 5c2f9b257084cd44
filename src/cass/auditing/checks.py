"""The audit of a data set: every check, put together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cass.auditing.classes import class_counts, class_findings, fraction_counts
from cass.auditing.copies import check_copies
from cass.auditing.facts import ImageFacts
from cass.auditing.file_checks import check_files
from cass.auditing.findings import Finding
from cass.auditing.leads import check_leads
from cass.auditing.shortcuts import Prediction
from cass.data.manifest.manifest import Manifest

ORDER = ("serious", "warning", "note")


@dataclass(frozen=True)
class Audit:
    """What is known of a data set before anything is trained.

    Attributes:
        images: Names of the N images.
        findings: What was found, the serious first.
        classes: Labelled images of each class, in all and by split.
        fractions: What 1%, 10% and all of the training labels hold of each class.
        predictions: How well labels and columns are predicted from facts, by what from what.
        splits: Images of each split.
        splits_source: ``given``, or ``made`` as cass would make them.
        unreadable: Name of each image that cannot be read -> why.
    """

    images: tuple[str, ...]
    findings: tuple[Finding, ...]
    classes: dict[str, dict[str, int]]
    fractions: dict[str, dict[str, int]]
    predictions: dict[str, Prediction]
    splits: dict[str, int]
    splits_source: str
    unreadable: dict[str, str]

    @property
    def serious(self) -> bool:
        """Whether figures on this set would be wrong."""
        return any(finding.level == "serious" for finding in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; images are named."""
        return {
            "images": len(self.images),
            "serious": self.serious,
            "splits": self.splits,
            "splits_source": self.splits_source,
            "classes": self.classes,
            "fractions": self.fractions,
            "unreadable": self.unreadable,
            "predictions": {name: asdict(entry) for name, entry in self.predictions.items()},
            "findings": [
                asdict(finding)
                | {
                    "images": [self.images[row] for row in finding.images],
                    "families": [[self.images[row] for row in rows] for rows in finding.families],
                }
                for finding in self.findings
            ],
        }


def audit_set(
    manifest: Manifest,
    facts: ImageFacts,
    splits: NDArray[np.str_],
    *,
    splits_source: str,
    split_command: str,
    more: Sequence[Finding] = (),
    seed: int = 0,
) -> Audit:
    """Run every check on a data set.

    Args:
        manifest: N images.
        facts: Their facts.
        splits: (N,) of ``train``, ``val``, ``test``.
        splits_source: ``given`` or ``made``.
        split_command: The command that makes safe splits of this set.
        more: Findings of other checks.
        seed: Seed of cross-validation and of label fractions.

    Returns:
        The audit.
    """
    leads, predictions = check_leads(manifest, facts, seed=seed)
    findings = [
        *check_files(facts, split_command=split_command),
        *check_copies(manifest, facts, splits, split_command=split_command),
        *class_findings(manifest, splits),
        *leads,
        *more,
    ]
    names, counts = np.unique(splits, return_counts=True)
    return Audit(
        images=manifest.images,
        findings=tuple(sorted(findings, key=lambda finding: ORDER.index(finding.level))),
        classes=class_counts(manifest, splits),
        fractions=fraction_counts(manifest, splits, seed=seed) if manifest.classes else {},
        predictions=predictions,
        splits={str(name): int(count) for name, count in zip(names, counts, strict=True)},
        splits_source=splits_source,
        unreadable={manifest.images[row]: why for row, why in sorted(facts.errors.items())},
    )
