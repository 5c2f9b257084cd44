"""What a pretrained or fine-tuned run adds to an audit: looks by its embeddings, and labels that it doubts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cass.auditing.duplicates import families, members, similar_pairs
from cass.auditing.findings import SHOWN, Finding, plural
from cass.auditing.labels import cross_validated, doubted
from cass.config.audit import AuditConfig
from cass.data.manifest.manifest import Manifest
from cass.groups import group_codes
from cass.runs.inference import infer, load_branches

CERTAIN = 0.9
"""Probability of another label from which on a label is doubted."""
SIMILAR = 0.97
"""Cosine of centred embeddings, in every branch, from which on images count as near-duplicates."""


def run_findings(
    config: AuditConfig, manifest: Manifest, readable: NDArray[np.bool_], splits: NDArray[np.str_]
) -> list[Finding]:
    """Embed all images with the branches of a run, and look for near-duplicates and doubtful labels.

    Args:
        config: The configuration; ``run`` is a run folder.
        manifest: N images.
        readable: (N,) whether each can be read.
        splits: (N,) of ``train``, ``val``, ``test``.

    Returns:
        What was found.

    Raises:
        OutputError: The run cannot be read.
    """
    assert config.run is not None
    branches = load_branches(config.run, "both")
    rows = np.flatnonzero(readable)
    chunks = list(
        infer(
            manifest.root,
            [manifest.images[row] for row in rows],
            branches,
            settings=config,
            batch_size=64,
            output=lambda branch, images: branch.embed(images),
        )
    )
    kept = np.concatenate([[row for row in chunk.span if row not in chunk.corrupt] for chunk in chunks]).astype(
        np.int64
    )
    rows = rows[kept]
    embeddings = {
        name: np.concatenate([chunk.outputs[name] for chunk in chunks if chunk.names]) for name in branches
    }
    pairs = rows[similar_pairs(list(embeddings.values()), least=SIMILAR)]
    cut = [part for part in members(families(pairs, count=len(manifest))) if len(np.unique(splits[part])) > 1]
    found = []
    if cut:
        what = (
            f"{plural(len(cut), 'family', 'families')} of images that look nearly the same to the networks of "
            f"{config.run} lie in more than one split ({plural(sum(map(len, cut)), 'image')})."
        )
        shown = tuple(tuple(part[:SHOWN].tolist()) for part in cut[:SHOWN])
        found.append(
            Finding(
                "warning",
                "look-alikes",
                what,
                "Look at them; give what belongs together one group.",
                families=shown,
            )
        )
    return [
        *found,
        *_labels(
            manifest, rows, np.concatenate([_even(part) for part in embeddings.values()], axis=1), seed=config.seed
        ),
    ]


def _even(embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale the embeddings of a branch so that each branch counts alike."""
    centred = embeddings - embeddings.mean(axis=0)
    even: NDArray[np.float32] = centred / max(float(np.sqrt((centred**2).sum(axis=1).mean())), 1e-12)
    return even


def _labels(
    manifest: Manifest, rows: NDArray[np.int64], embeddings: NDArray[np.float32], *, seed: int
) -> list[Finding]:
    """Report the labels that cross-validation disagrees with most."""
    chosen = manifest.labelled[rows]
    rows, embeddings = rows[chosen], embeddings[chosen]
    if not len(rows):
        return []
    targets = manifest.targets[rows]
    codes = group_codes(manifest.groups, count=len(manifest))[rows]
    probabilities = cross_validated(embeddings, targets, codes=codes, task=manifest.task, seed=seed)
    wrong = doubted(probabilities, targets, task=manifest.task, least=CERTAIN)
    if not len(wrong):
        return []
    captions = []
    for row in wrong[:SHOWN]:
        against = np.where(targets[row] > 0, 1 - probabilities[row], probabilities[row])
        if manifest.task == "multiclass":
            against = np.where(targets[row] > 0, 0, probabilities[row])
        most = int(against.argmax())
        verb = "not" if targets[row, most] else "rather"
        captions.append(f"{verb} {manifest.classes[most]} ({100 * against[most]:.0f}%)")
    what = (
        f"{plural(len(wrong), 'label')} of {len(rows):,} are contradicted with a probability of 90% or more by a "
        "classifier that has seen neither the image nor its group."
    )
    fix = "Have someone look at them; they may be right, and the hardest images of the set."
    return [
        Finding(
            "warning", "label quality", what, fix, tuple(rows[wrong[:SHOWN]].tolist()), captions=tuple(captions)
        )
    ]
