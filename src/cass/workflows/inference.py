"""Passing images through saved branches, a chunk at a time, so that memory does not grow with the set."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cass.config import ComputeSettings
from cass.data.dataset import to_images
from cass.data.manifest import Manifest
from cass.data.store import ImageStore, check_corrupt, decode_images
from cass.errors import OutputError
from cass.models.backbones import Branch
from cass.models.checkpoints import load_branch
from cass.training.hardware import torch_device
from cass.types import BRANCHES
from cass.workflows.run_folder import branch_files

log = logging.getLogger("cass")

CHUNK = 1024


@dataclass(frozen=True)
class Chunk:
    """The outputs of some consecutive images.

    Attributes:
        names: Names of the images that could be read, n of them.
        outputs: (n, W) floats by branch name.
    """

    names: list[str]
    outputs: dict[str, NDArray[np.float32]]


def load_branches(run: Path, which: str) -> dict[str, Branch]:
    """Load the saved branches of a run.

    Args:
        run: Run folder of ``cass pretrain`` or ``cass finetune``.
        which: ``cnn``, ``transformer``, or ``both`` for all that the run holds.

    Returns:
        Branches by name.

    Raises:
        OutputError: Where the run does not hold the one asked for.
    """
    files = branch_files(run)
    if which != "both" and which not in files:
        raise OutputError(f"{run} holds no {which} branch", f"It holds {', '.join(files)}: pass --branch.")
    return {name: load_branch(files[name]) for name in BRANCHES if name in files and which in (name, "both")}


def infer(
    manifest: Manifest,
    branches: dict[str, Branch],
    *,
    settings: ComputeSettings,
    batch_size: int,
    output: Callable[[Branch, Tensor], Tensor],
    images: ImageStore | None = None,
) -> Iterator[Chunk]:
    """Pass all images of a manifest through branches.

    Args:
        manifest: The images.
        branches: The branches by name; all take images of one size.
        settings: Where to compute.
        batch_size: Images at a time.
        output: Function of a branch and images (B, C, S, S) that returns (B, W).
        images: The manifest's images of the branches' size, already decoded; None decodes them on the way.

    Yields:
        The outputs, up to 1,024 images at a time, in the manifest's order. Images that cannot be read are
        named in the log and left out.

    Raises:
        DataError: Where more than 5% of the images so far cannot be read.
    """
    device = torch_device(settings)
    spec = next(iter(branches.values())).spec
    for branch in branches.values():
        branch.to(device).to(memory_format=torch.channels_last).eval()
    corrupt: dict[int, str] = {}
    for start in range(0, len(manifest), CHUNK):
        rows = range(start, min(start + CHUNK, len(manifest)))
        names = [manifest.images[row] for row in rows]
        if images is not None:
            store = images.subset(rows)
        else:
            store = decode_images(
                [manifest.path(row) for row in rows],
                names=names,
                image_size=spec.image_size,
                in_chans=spec.in_chans,
            )
        for position, reason in store.corrupt.items():
            log.warning("Skipped %s: %s", names[position], reason)
            corrupt[start + position] = reason
        check_corrupt(corrupt, total=len(manifest), names=list(manifest.images))
        good = np.array([row for row in range(len(rows)) if row not in store.corrupt], dtype=np.int64)
        outputs: dict[str, list[Tensor]] = {name: [] for name in branches}
        with torch.inference_mode():
            for first in range(0, len(good), batch_size):
                pixels = torch.from_numpy(store.pixels(good[first : first + batch_size]))
                batch = to_images(pixels.to(device))
                for name, branch in branches.items():
                    outputs[name].append(output(branch, batch).float().cpu())
        if len(good):
            yield Chunk(
                [names[row] for row in good],
                {name: torch.cat(parts).numpy() for name, parts in outputs.items()},
            )
