"""What a pretrained or fine-tuned run adds to an audit: near-duplicates and doubtful labels by embedding."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cass.auditing.duplicates import families, members, similar_pairs
from cass.auditing.findings import Finding
from cass.auditing.labels import cross_validated, doubted
from cass.config.audit import AuditConfig
from cass.data.manifest.manifest import Manifest
from cass.evaluation.joint import joint_embeddings
from cass.groups import group_codes
from cass.listing import MOST_NAMED, plural
from cass.runs.inference import infer, load_branches

CERTAIN = 0.9
"""Least probability of another label for which a label is doubtful."""
SIMILAR = 0.97
"""Least cosine of centred embeddings, in every branch, for which images count as near-duplicates."""


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
    rows, embeddings = _embed_readable(config, config.run, manifest, readable)
    joined = joint_embeddings(embeddings)
    return [
        *_similar_across_splits(config.run, rows, list(embeddings.values()), splits),
        *_label_findings(manifest, rows, joined, seed=config.seed),
    ]


def _embed_readable(
    config: AuditConfig, run: Path, manifest: Manifest, readable: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], dict[str, NDArray[np.float32]]]:
    """Embed the readable images; returns the rows of M images, and (M, D) embeddings by branch name."""
    branches = load_branches(run, "both")
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
    kept = np.concatenate([[row for row in chunk.span if row not in chunk.unreadable] for chunk in chunks]).astype(
        np.int64
    )
    return rows[kept], {
        name: np.concatenate([chunk.outputs[name] for chunk in chunks if chunk.names]) for name in branches
    }


def _similar_across_splits(
    run: Path, rows: NDArray[np.int64], embeddings: list[NDArray[np.float32]], splits: NDArray[np.str_]
) -> list[Finding]:
    """Report near-duplicates by embedding that lie in more than one split."""
    pairs = rows[similar_pairs(embeddings, least=SIMILAR)]
    cut = [part for part in members(families(pairs, count=len(splits))) if len(np.unique(splits[part])) > 1]
    if not cut:
        return []
    what = (
        f"{plural(len(cut), 'family', 'families')} of near-duplicates by embedding (networks of {run}) lie in "
        f"more than one split ({plural(sum(map(len, cut)), 'image')})."
    )
    fix = "Look at them, and give images that belong together the same group."
    shown = tuple(tuple(part[:MOST_NAMED].tolist()) for part in cut[:MOST_NAMED])
    return [Finding("warning", "near-duplicates by embedding", what, fix, families=shown)]


def _label_findings(
    manifest: Manifest, rows: NDArray[np.int64], embeddings: NDArray[np.float32], *, seed: int
) -> list[Finding]:
    """Report the labels that a cross-validated classifier contradicts most."""
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
    for row in wrong[:MOST_NAMED]:
        against = np.where(targets[row] > 0, 1 - probabilities[row], probabilities[row])
        if manifest.task == "multiclass":
            against = np.where(targets[row] > 0, 0, probabilities[row])
        most = int(against.argmax())
        verb = "not" if targets[row, most] else "more likely"
        captions.append(f"{verb} {manifest.classes[most]} ({100 * against[most]:.0f}%)")
    what = (
        f"{len(wrong):,} of {plural(len(rows), 'label')} are doubtful: a classifier trained without the "
        "image and its group gives a different label a probability of 90% or more."
    )
    fix = "Have an expert check them. Some may be correct and only difficult."
    return [
        Finding(
            "warning",
            "label quality",
            what,
            fix,
            tuple(rows[wrong[:MOST_NAMED]].tolist()),
            captions=tuple(captions),
        )
    ]
