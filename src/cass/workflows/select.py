"""``cass select``: which images to label next."""

from __future__ import annotations

import csv
import io
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cass.config.select import SelectConfig
from cass.data.manifest.manifest import Manifest
from cass.evaluation.joint import joint_embeddings
from cass.evaluation.probabilities import probabilities
from cass.evaluation.selection import Floats, doubt_of, select_images
from cass.files import write_named
from cass.groups import group_codes
from cass.listing import plain_path, plural
from cass.models.backbones import Branch
from cass.reports.lines import unreadable_files
from cass.resolve.select import ResolvedSelect, resolve_select
from cass.runs.inference import infer, load_branches
from cass.types import Task

log = logging.getLogger("cass")


@dataclass(frozen=True)
class SelectResult:
    """Images to label.

    Attributes:
        out: The CSV.
        images: Names of the images, in the order in which to label them.
        disputed: Whether doubts of a fine-tuned run counted.
        unreadable: Reason by name of each unreadable image.
    """

    out: Path
    images: tuple[str, ...]
    disputed: bool
    unreadable: dict[str, str]


def run_select(config: SelectConfig, resolved: ResolvedSelect | None = None) -> SelectResult:
    """Choose which images to label next, and write them as a CSV with an empty column for the label.

    Args:
        config: Settings of ``cass select``.
        resolved: What :func:`resolve_select` returned; None calls it.

    Returns:
        The CSV and the chosen images.

    Raises:
        CassError: The run, the images or the output cannot be used.
    """
    given = resolved or resolve_select(config)
    manifest, task = given.manifest, given.summary.get("task")
    rows, features, doubt, unreadable = _embedded(config, manifest, task)
    free = given.free[rows]
    budget = min(config.budget, int(free.sum()))  # some may have turned out to be unreadable
    chosen = select_images(
        features,
        budget=budget,
        free=free,
        known=manifest.labelled[rows],
        codes=group_codes(manifest.groups, count=len(manifest))[rows],
        doubt=doubt,
        seed=config.seed,
    )
    names = tuple(manifest.images[row] for row in rows[chosen])
    write_named(config.out, _csv(manifest, names, None if doubt is None else doubt[chosen], config.out.parent))
    return SelectResult(config.out, names, doubt is not None, unreadable)


def _embedded(
    config: SelectConfig, manifest: Manifest, task: Task | None
) -> tuple[NDArray[np.int64], NDArray[np.float32], Floats | None, dict[str, str]]:
    """Embed the images; returns the readable rows, their features and doubt, and what is unreadable."""
    branches = load_branches(config.run, "both")

    def output(branch: Branch, images: Tensor) -> Tensor:
        embedding = branch.embed(images)
        if task is None or branch.head is None:
            return embedding
        return torch.cat([embedding, probabilities(branch.head(embedding), task=task)], dim=1)

    chunks = list(
        infer(
            manifest.root,
            manifest.images,
            branches,
            settings=config,
            batch_size=config.batch_size,
            output=output,
        )
    )
    bad = {row: why for chunk in chunks for row, why in chunk.unreadable.items()}
    rows = np.setdiff1d(np.arange(len(manifest)), list(bad))
    outputs = {name: np.concatenate([chunk.outputs[name] for chunk in chunks if chunk.names]) for name in branches}
    widths = {name: branch.num_features for name, branch in branches.items()}
    features = joint_embeddings({name: part[:, : widths[name]] for name, part in outputs.items()})
    doubt = None
    if task is not None:
        doubt = doubt_of({name: part[:, widths[name] :] for name, part in outputs.items()}, task=task)
    return rows, features, doubt, {manifest.images[row]: why for row, why in bad.items()}


def _csv(manifest: Manifest, names: tuple[str, ...], doubt: Floats | None, folder: Path) -> str:
    """Write the chosen images with an empty label."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["image", "label", *(["doubt"] if doubt is not None else [])])
    root = os.path.relpath(manifest.root.resolve(), folder.resolve())
    for index, name in enumerate(names):
        path = plain_path(os.path.normpath(os.path.join(root, name)).replace(os.sep, "/"))
        writer.writerow([path, "", *([f"{doubt[index]:.3f}"] if doubt is not None else [])])
    return text.getvalue()


def show(result: SelectResult, config: SelectConfig) -> Iterator[str]:
    """Yield what the command prints."""
    how = "typical and disputed images" if result.disputed else "typical images"
    count, left_out = plural(len(result.images), "image"), unreadable_files(result.unreadable)
    yield f"Wrote {result.out}: {count} to label ({how}, different from each other){left_out}"
    yield "Fill the column 'label', and add these rows to your labels."
