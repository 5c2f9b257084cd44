"""The time that training spends waiting for its batches."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any


class Stopwatch:
    """An iterable of batches that adds up the time spent waiting for them.

    Args:
        batches: A loader.

    Attributes:
        waited: Seconds waited so far.
    """

    def __init__(self, batches: Any) -> None:
        self.batches = batches
        self.sampler = getattr(batches, "sampler", None)  # Lightning tells it the epoch
        self.waited = 0.0

    def __len__(self) -> int:
        """Return the number of batches."""
        return len(self.batches)

    def __iter__(self) -> Iterator[Any]:
        """Yield the batches."""
        batches = iter(self.batches)
        while True:
            start = time.perf_counter()
            try:
                batch = next(batches)
            except StopIteration:
                return
            self.waited += time.perf_counter() - start
            yield batch
