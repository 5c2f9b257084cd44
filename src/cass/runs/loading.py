"""A saved network, to use outside cass."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from cass.data.store.stream import fitted_image
from cass.errors import DataError
from cass.models.backbones import Branch
from cass.models.checkpoints import load_branch
from cass.runs.folder import SUMMARY, chosen_branches, read_summary
from cass.types import BranchName


@dataclass(frozen=True)
class ReadImage:
    """Reads an image file as the network takes it: decoded, resized to a square, in [0, 1].

    Attributes:
        image_size: Side S in pixels.
        in_chans: Channels C.
    """

    image_size: int
    in_chans: int

    def __call__(self, path: str | Path) -> Tensor:
        """Read an image.

        Args:
            path: A file of any format that cass reads.

        Returns:
            (C, S, S) float32 in [0, 1].

        Raises:
            DataError: It cannot be read.
        """
        pixels = fitted_image(Path(path), image_size=self.image_size, in_chans=self.in_chans)
        if isinstance(pixels, str):
            raise DataError(f"{path} cannot be read: {pixels}", "Repair or replace it.")
        floats = pixels.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max)
        return torch.from_numpy(floats).permute(2, 0, 1).contiguous()


class LoadedBranch(NamedTuple):
    """A network of a run, and what it takes and returns.

    Attributes:
        model: Images (B, C, S, S) in [0, 1] to logits (B, K) of a fine-tuned run, or embeddings (B, D) of a
            pretraining run; ``model.embed`` always returns embeddings. In evaluation mode, on the CPU.
        transform: Image file to (C, S, S) in [0, 1].
        classes: K names, in the order of the logits; empty for a pretraining run.
    """

    model: Branch
    transform: ReadImage
    classes: tuple[str, ...]


def load_run(run: Path, branch: BranchName) -> LoadedBranch:
    """Load a network of a run.

    Args:
        run: Run folder of ``cass pretrain`` or ``cass finetune``.
        branch: ``cnn`` or ``transformer``.

    Returns:
        The network, the transform of its images, and its classes.

    Raises:
        OutputError: The folder is no finished run, or holds no such branch.
        ModelError: The file is damaged.
    """
    model = load_branch(chosen_branches(run, branch)[branch]).eval()
    classes: tuple[str, ...] = ()
    if model.head is not None and (run / SUMMARY).is_file():
        classes = tuple(read_summary(run, written_by="cass finetune").get("classes", ()))
    return LoadedBranch(model, ReadImage(model.spec.image_size, model.spec.in_chans), classes)
