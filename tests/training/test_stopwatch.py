from __future__ import annotations

import time
from collections.abc import Iterator

from cass.training.stopwatch import Stopwatch


class Slow:
    """Batches that take 20 ms each."""

    sampler = "order"

    def __len__(self) -> int:
        return 3

    def __iter__(self) -> Iterator[int]:
        for batch in range(3):
            time.sleep(0.02)
            yield batch


def test_waits_add_up_and_the_work_between_does_not_count() -> None:
    watch = Stopwatch(Slow())
    assert (len(watch), watch.sampler) == (3, "order")
    for _ in watch:
        time.sleep(0.1)
    assert 0.06 <= watch.waited < 0.2
