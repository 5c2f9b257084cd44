"""Batches of stored images: which images, in which order, for which rank; augmented later, on the device."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from cass.data.formats.unreadable import Pixels
from cass.seeds import derive_seed


class Images(Protocol):
    """Decoded images, addressed by their row in the manifest."""

    def pixels(self, indices: Sequence[int] | NDArray[np.int64]) -> Pixels:
        """Return images (B, S, S, C), uint8 or uint16."""
        ...


class Batch(NamedTuple):
    """What a loader serves.

    Attributes:
        pixels: (B, S, S, C) uint8 or uint16.
        targets: Labels (B, K), 0 and 1; K is 0 where none are asked for.
        rows: Manifest rows (B,).
        positions: Positions (B,) of the images among those served, from 0.
        total: Images of the whole step, of which this may be one rank's part.
    """

    pixels: Tensor
    targets: Tensor
    rows: Tensor
    positions: Tensor
    total: int


class StoredImages(Dataset[Batch]):
    """Whole batches of decoded images.

    Args:
        images: Decoded images.
        rows: Rows of the manifest to serve.
        targets: Labels (N, K) of the whole manifest, 0 and 1, or probabilities; None serves empty labels.
    """

    def __init__(
        self,
        images: Images,
        rows: Sequence[int] | NDArray[np.int64],
        *,
        targets: NDArray[np.uint8] | NDArray[np.float32] | None = None,
    ) -> None:
        self.images = images
        self.rows = np.asarray(rows, dtype=np.int64)
        self.targets = targets

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def labels(self) -> NDArray[np.uint8]:
        """Labels (n, K) of the served rows, 0 and 1; K is 0 where none are served."""
        if self.targets is None:
            return np.zeros((len(self.rows), 0), np.uint8)
        return self.targets[self.rows].astype(np.uint8, copy=False)

    def __getitem__(self, chosen: tuple[Sequence[int], int]) -> Batch:
        """Return the batch of some positions in ``rows``, which is part of a step of so many images."""
        positions, total = chosen
        places = np.asarray(positions, dtype=np.int64)
        rows = self.rows[places]
        targets = np.zeros((len(rows), 0), np.uint8) if self.targets is None else self.targets[rows]
        return Batch(
            torch.from_numpy(self.images.pixels(rows)),
            torch.from_numpy(targets).float(),
            torch.from_numpy(rows),
            torch.from_numpy(places),
            total,
        )


def to_images(pixels: Tensor) -> Tensor:
    """Turn stored pixels into what networks take, on their device.

    Args:
        pixels: (B, S, S, C) uint8 or uint16.

    Returns:
        float32 (B, C, S, S) in [0, 1], channels last in memory: the stored value over the greatest of its dtype.
    """
    # As floats first: torch computes little with uint16.
    return pixels.permute(0, 3, 1, 2).float() / float(torch.iinfo(pixels.dtype).max)


class EpochBatches(Sampler[tuple[list[int], int]]):
    """The batches of each epoch, shuffled, every image once; each rank gets its part of every batch.

    Args:
        count: Number of images.
        batch_size: Images per step, over all ranks.
        seed: Seed of the order.
        rank: Number of this process, from 0.
        world_size: Number of processes.
        parts: Parts that a process passes its images of a step in.
        passes: How often an epoch goes over the images.
        classes: (count,) class of each image; where given, every class fills an even share of the epoch:
            images of small classes come more often, those of large ones take turns over the epochs.
    """

    def __init__(
        self,
        count: int,
        *,
        batch_size: int,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
        parts: int = 1,
        passes: int = 1,
        classes: NDArray[np.int64] | None = None,
    ) -> None:
        self.count = count
        self.passes = passes
        self.classes = classes
        self.batch_size = batch_size
        self.seed = seed
        self.rank = rank
        self.world_size = world_size
        self.parts = parts
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch, from 0, that is served next; Lightning calls this."""
        self.epoch = epoch

    def __len__(self) -> int:
        """Parts of steps an epoch."""
        return len(self._starts()) * self.parts

    def __iter__(self) -> Iterator[tuple[list[int], int]]:
        """Yield the positions of this rank's images and the size of the whole step."""
        order = self._order()
        starts = self._starts()
        for start, end in zip(starts, [*starts[1:], len(order)], strict=True):
            batch = order[start:end]
            for part in range(self.parts):
                mine = np.array_split(batch, self.world_size * self.parts)[self.rank * self.parts + part]
                yield mine.tolist(), len(batch)

    def _order(self) -> NDArray[np.int64]:
        """Return the positions that the epoch serves, one after another."""
        if self.classes is not None:
            return self._even_order(self.classes)
        draws = range(self.epoch * self.passes, (self.epoch + 1) * self.passes)
        return np.concatenate([self._permutation(self.count, "order", draw) for draw in draws])

    def _even_order(self, classes: NDArray[np.int64]) -> NDArray[np.int64]:
        """Fill the epoch with even shares of the classes, each class's images in turn."""
        total, kinds = self.count * self.passes, np.unique(classes)
        taken: list[NDArray[np.int64]] = []
        for number, kind in enumerate(kinds):
            images = np.flatnonzero(classes == kind)
            share = len(range(number, total, len(kinds)))
            # Where the class stopped in the last epoch it goes on, so that all its images get their turn.
            first, last = self.epoch * share, (self.epoch + 1) * share
            rounds = range(first // len(images), -(-last // len(images)))
            turns = np.concatenate(
                [images[self._permutation(len(images), "class", int(kind), turn)] for turn in rounds]
            )
            start = first - rounds.start * len(images)
            taken.append(turns[start : start + share])
        return np.concatenate(taken)[self._permutation(total, "order", self.epoch)]

    def _permutation(self, count: int, *purpose: str | int) -> NDArray[np.int64]:
        return np.random.default_rng(derive_seed(self.seed, *purpose)).permutation(count)

    def _starts(self) -> list[int]:
        """Return where steps begin."""
        # A last one too small for two images a part joins the one before it: batch normalisation has no
        # statistics of one.
        total = self.count * self.passes
        starts = list(range(0, total, self.batch_size))
        if len(starts) > 1 and total - starts[-1] < 2 * self.world_size * self.parts:
            starts.pop()
        return starts


def train_loader(
    dataset: StoredImages, batches: EpochBatches, *, num_workers: int, pin_memory: bool
) -> DataLoader[Batch]:
    """Load the batches of every epoch.

    Args:
        dataset: The images.
        batches: Their order.
        num_workers: Processes that fetch batches; they live as long as the loader.
        pin_memory: Whether batches wait in page-locked memory, for asynchronous copies to a GPU.

    Returns:
        The loader, one :class:`Batch` a step.
    """
    return DataLoader(
        dataset,
        sampler=batches,
        batch_size=None,
        num_workers=num_workers,
        pin_memory=pin_memory,
        persistent_workers=num_workers > 0,
        worker_init_fn=_mute_worker,
    )


def _mute_worker(worker: int) -> None:
    """Keep a worker from printing: what goes wrong with a batch reaches the main process, which says it.

    Where one worker is killed, the others end with errors of their own, which tell nothing.
    """
    sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - open for the life of the process


def in_order(dataset: StoredImages, *, batch_size: int) -> DataLoader[Batch]:
    """Serve every image once, in the order of the rows, up to ``batch_size`` at a time."""
    parts = [range(start, min(start + batch_size, len(dataset))) for start in range(0, len(dataset), batch_size)]
    return DataLoader(dataset, sampler=[(part, len(part)) for part in parts], batch_size=None)
