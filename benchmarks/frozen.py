"""Linear probes of frozen embeddings of the images of a benchmark's cell, outside of any run folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from cass.auditing.kept_pairs import near_families
from cass.benchmarking.cells import Cell
from cass.config.finetune import FinetuneConfig
from cass.config.pretrain import PretrainConfig
from cass.data.splits.kept import read_splits
from cass.data.store.dataset import StoredImages
from cass.files import whole_file
from cass.models.checkpoints import load_branch
from cass.resolve.finetune import labelled_manifest
from cass.runs.folder import SPLITS_FILE, branch_files
from cass.runs.inputs import Inputs, Plan, decode, make_plan
from cass.runs.label_budget import labelled_data, labelled_images
from cass.training.probing import fit_to_labels
from cass.training.stored_embeddings import embed_finite

Embeddings = NDArray[np.floating]
Arrays = dict[str, NDArray[np.generic]]


def kept(path: Path, compute: Callable[[], Arrays], *, of: Iterable[Path] = ()) -> Arrays:
    """Return the arrays of an .npz file; where it is not there or older than a file that it is of, compute it."""
    if not path.is_file() or any(file.stat().st_mtime > path.stat().st_mtime for file in of):
        found = compute()
        path.parent.mkdir(exist_ok=True)
        with whole_file(path) as partial, partial.open("wb") as file:
            np.savez_compressed(file, **found)
    return dict(np.load(path))


@dataclass(frozen=True)
class FrozenImages:
    """Decoded images of some splits, and what probes of them need.

    Attributes:
        config: Settings of the pretraining.
        plan: The data set with its splits.
        inputs: The decoded images.
        places: Row of each image among them.
    """

    config: PretrainConfig
    plan: Plan
    inputs: Inputs
    places: dict[str, int]

    def embed(self, start: Path) -> dict[str, Embeddings]:
        """Embed all images with the branches of a run: (N, D) by branch name."""
        images = StoredImages(self.inputs.images, np.arange(len(self.inputs.manifest)))
        return {
            name: embed_finite(load_branch(path), images, device=torch.device("cpu"))
            for name, path in branch_files(start).items()
        }

    def probes(
        self, tuning: FinetuneConfig, embeddings: dict[str, Embeddings]
    ) -> tuple[dict[str, NDArray[np.float64]], NDArray[np.int64]]:
        """Fit a probe to each of some embeddings, as `cass finetune --head linear` does.

        Args:
            tuning: Settings of the fine-tuning.
            embeddings: (N, D) of all images, by name.

        Returns:
            Logits (N, K) of all images by the same names, and the rows of the labelled images.
        """
        inputs, budget = labelled_images(tuning, self.config, self.plan)
        data = labelled_data(inputs, budget)
        rows = [[self.places[inputs.manifest.images[row]] for row in part] for part in budget]
        logits = {}
        for name, found in embeddings.items():
            train, held, sample = (found[part] for part in rows)
            logits[name] = fit_to_labels(tuning, data, train=train, held=held, sample=sample).logits(found)
        return logits, np.array(rows[0] + rows[1], dtype=np.int64)


def frozen_images(cell: Cell, start: Path, *, splits: tuple[str, ...]) -> FrozenImages:
    """Decode the images of a cell.

    Args:
        cell: The cell.
        start: Folder of its pretraining, with the splits.
        splits: Splits whose images are decoded.

    Returns:
        The images.
    """
    config = cell.config
    settings = next(tuning_settings(cell, start))
    plan = make_plan(
        labelled_manifest(settings.labels, settings),
        seed=config.seed,
        known=read_splits(start / SPLITS_FILE),
        families=near_families,
    )
    size = {"image_size": config.image_size, "in_chans": config.in_chans}
    inputs = decode(plan, plan.rows(*splits), **size, purpose="probes", cache=config.cache)
    return FrozenImages(config, plan, inputs, {name: row for row, name in enumerate(inputs.manifest.images)})


def tuning_settings(cell: Cell, start: Path, *, protocol: str = "probe"):
    """Yield the settings of a cell's fine-tunings by one protocol, one for each label fraction."""
    for tuning in cell.tunings.values():
        if tuning.protocol == protocol:
            yield FinetuneConfig(**tuning.settings | {"run": start, "out": start / "none"})
