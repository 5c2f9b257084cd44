"""The images of one epoch as torch reads them: views, label and index, then batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from cass.seeds import derive_seed

Item = tuple[list[Tensor], Tensor, int]
MakeViews = Callable[[Tensor, int], list[Tensor]]


class Images(Protocol):
    """Decoded images, addressed by their row in the manifest."""

    def tensor(self, index: int) -> Tensor:
        """Return image ``index`` as floats (C, S, S) in [0, 1]."""
        ...


class ViewDataset(Dataset[Item]):
    """The views of some images in one epoch.

    The randomness of an image depends on the seed, the epoch and the image alone, so any number of
    workers, and a run that was stopped and continued, sees the same views.

    Args:
        images: Decoded images.
        rows: Rows of the manifest to serve.
        make_views: Function of an image and a seed that returns its views.
        targets: Labels (N, K) of the whole manifest, 0 and 1; None serves empty labels.
        seed: Seed of the run.
        epoch: Number of the epoch, from 0.
    """

    def __init__(
        self,
        images: Images,
        rows: Sequence[int] | NDArray[np.int64],
        *,
        make_views: MakeViews,
        targets: NDArray[np.uint8] | None = None,
        seed: int = 0,
        epoch: int = 0,
    ) -> None:
        self.images = images
        self.rows = [int(row) for row in rows]
        self.make_views = make_views
        self.targets = targets
        self.seed = seed
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, position: int) -> Item:
        """Return the views, the label (K,) and the manifest row of one image."""
        row = self.rows[position]
        views = self.make_views(self.images.tensor(row), derive_seed(self.seed, "views", self.epoch, row))
        label = torch.empty(0) if self.targets is None else torch.from_numpy(self.targets[row]).float()
        return views, label, row


def epoch_batches(count: int, *, batch_size: int, seed: int, epoch: int) -> list[list[int]]:
    """Shuffle positions into batches that use every image once.

    Args:
        count: Number of images.
        batch_size: Images a batch.
        seed: Seed of the run.
        epoch: Number of the epoch, from 0.

    Returns:
        Batches of positions in [0, count). A last batch of one image joins the one before it, because
        batch normalisation has no statistics of one.
    """
    order = np.random.default_rng(derive_seed(seed, "order", epoch)).permutation(count).tolist()
    batches = [order[start : start + batch_size] for start in range(0, count, batch_size)]
    if len(batches) > 1 and len(batches[-1]) == 1:
        batches[-2:] = [batches[-2] + batches[-1]]
    return batches


def step_count(count: int, batch_size: int) -> int:
    """Return how many batches :func:`epoch_batches` makes of ``count`` images."""
    return len(epoch_batches(count, batch_size=batch_size, seed=0, epoch=0))


def train_loader(dataset: ViewDataset, *, batch_size: int, num_workers: int, pin_memory: bool) -> DataLoader[Item]:
    """Load the batches of one epoch.

    Args:
        dataset: The epoch's images.
        batch_size: Images a batch.
        num_workers: Processes that prepare batches.
        pin_memory: Whether batches wait in page-locked memory, for copies to a GPU.

    Returns:
        Batches of views (each (B, C, S, S)), labels (B, K) and manifest rows (B,).
    """
    batches = epoch_batches(len(dataset), batch_size=batch_size, seed=dataset.seed, epoch=dataset.epoch)
    return DataLoader(dataset, batch_sampler=batches, num_workers=num_workers, pin_memory=pin_memory)
