"""Images decoded a chunk ahead of whoever uses them, so that decoding and computing overlap."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cass.data.formats.read import to_channels
from cass.data.formats.unreadable import Pixels, UnreadableImage
from cass.data.store.store import ImageStore, read_square
from cass.errors import DataError

if TYPE_CHECKING:
    from torch import Tensor

CHUNK_BYTES = 64 * 2**20
"""Decoded floats of one chunk; two chunks are in memory at a time."""

CHUNK_IMAGES = 1024
_BLOCK = 32  # most images that a thread takes at a time: one image at a time costs more in queues than it gains


@dataclass(frozen=True, eq=False)
class DecodedChunk:
    """Decoded images of some consecutive rows.

    Attributes:
        rows: The rows, n of them.
        floats: (n, S, S, C) in [0, 1]: the stored value over the greatest of its own dtype; rows that could
            not be read hold anything.
        unreadable: Row -> why the image could not be read.
    """

    rows: range
    floats: NDArray[np.float32]
    unreadable: dict[int, str]

    def good(self) -> list[int]:
        """Return the rows that could be read, in order."""
        return [row for row in self.rows if row not in self.unreadable]

    def batches(self, batch_size: int) -> Iterator[Tensor]:
        """Yield the readable images, float32 (B, C, S, S) in channels-last memory, B up to ``batch_size``."""
        import torch

        good = self.good()
        readable = self.floats if not self.unreadable else self.floats[[row - self.rows.start for row in good]]
        for first in range(0, len(good), batch_size):
            yield torch.from_numpy(readable[first : first + batch_size]).permute(0, 3, 1, 2)


def chunk_images(image_size: int, in_chans: int, *, batch_size: int) -> int:
    """Return how many images a chunk holds: whole batches, at least one, within a bound of memory.

    Args:
        image_size: Side S in pixels.
        in_chans: Channels C.
        batch_size: Images at a time.
    """
    fits = min(CHUNK_BYTES // (image_size * image_size * in_chans * 4), CHUNK_IMAGES)
    return max(1, fits // batch_size) * batch_size


def stream_images(
    path: Callable[[int], Path], chunks: Iterable[range], *, image_size: int, in_chans: int
) -> Generator[DecodedChunk, None, None]:
    """Decode chunks of images in threads, one chunk ahead of the caller.

    Args:
        path: Function from a row to its image file.
        chunks: The rows of each chunk.
        image_size: Side S in pixels; pictures are squashed to a square.
        in_chans: Channels C.

    Yields:
        The chunks, in order. When the iterator is closed, the threads end after the image they are at.
    """
    workers = os.cpu_count() or 1
    pool = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="cass-decode")
    stopped = False

    def decode(rows: range, floats: NDArray[np.float32]) -> dict[int, str]:
        unreadable: dict[int, str] = {}
        for row, place in zip(rows, floats, strict=True):
            if stopped:
                break
            image = fitted_image(path(row), image_size=image_size, in_chans=in_chans)
            if isinstance(image, str):
                unreadable[row] = image
            else:
                np.divide(image, np.float32(np.iinfo(image.dtype).max), out=place)
        return unreadable

    def begin(rows: range) -> tuple[DecodedChunk, list[Future[dict[int, str]]]]:
        chunk = DecodedChunk(rows, np.empty((len(rows), image_size, image_size, in_chans), dtype=np.float32), {})
        block = min(_BLOCK, -(-len(rows) // (2 * workers)))
        starts = range(0, len(rows), block)
        return chunk, [pool.submit(decode, rows[i : i + block], chunk.floats[i : i + block]) for i in starts]

    waiting: deque[tuple[DecodedChunk, list[Future[dict[int, str]]]]] = deque()

    def finish() -> DecodedChunk:
        chunk, parts = waiting.popleft()
        for part in parts:
            chunk.unreadable.update(part.result())
        return chunk

    try:
        for rows in chunks:
            waiting.append(begin(rows))
            if len(waiting) > 1:
                yield finish()
        while waiting:
            yield finish()
    finally:
        stopped = True
        pool.shutdown(wait=True, cancel_futures=True)


def stored_images(store: ImageStore, chunks: Iterable[range]) -> Generator[DecodedChunk, None, None]:
    """Serve chunks of images that are decoded already, as :func:`stream_images` does.

    Args:
        store: The N images.
        chunks: The rows of each chunk, in [0, N).

    Yields:
        The chunks, in order.
    """
    for rows in chunks:
        pixels = store.pixels(rows)
        floats = pixels.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max)
        yield DecodedChunk(rows, floats, {row: store.unreadable[row] for row in rows if row in store.unreadable})


def fitted_image(path: Path, *, image_size: int, in_chans: int) -> Pixels | str:
    """Read an image and resize it to a square, without keeping its aspect ratio.

    Args:
        path: The file.
        image_size: Side S in pixels.
        in_chans: Channels C.

    Returns:
        (S, S, C) uint8 or uint16 as the file has it, or why it could not be read.
    """
    try:
        return to_channels(read_square(path, image_size), in_chans)
    except UnreadableImage as error:
        return error.reason
    except DataError as error:
        return error.what
