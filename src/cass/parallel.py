"""Work on many images: in threads, with as few hops between them as can be, and with a bar."""

from __future__ import annotations

import itertools
import logging
import os
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait

log = logging.getLogger("cass")


def for_each(count: int, task: Callable[[int], None], *, on_progress: Callable[[int], None] | None = None) -> None:
    """Call a function for each number in [0, count), in as many threads as there are cores to use.

    Each thread draws its next number itself, so that neither a queue nor the caller's thread takes part in
    every call: where a call takes a millisecond, handing it over would cost a good part of that.

    Args:
        count: How many numbers.
        task: The function; what it raises ends the work.
        on_progress: Called in the caller's thread with the calls done so far, a few times a second and once
            at the end.

    Raises:
        Exception: What ``task`` raised first. It, and Ctrl-C, leave the numbers not yet drawn undone.
    """
    numbers = itertools.count()  # drawing from it is atomic
    threads = max(1, min(cores(), count))
    done = [0] * threads
    stopped = False

    def work(thread: int) -> None:
        for number in numbers:
            if stopped or number >= count:
                return
            task(number)
            done[thread] += 1

    pool = ThreadPoolExecutor(max_workers=threads)
    try:
        running = {pool.submit(work, thread) for thread in range(threads)}
        while running:
            finished, running = wait(running, timeout=0.2 if on_progress else None, return_when=FIRST_EXCEPTION)
            for future in finished:
                future.result()
            if on_progress is not None:
                on_progress(sum(done))
    finally:
        stopped = True
        pool.shutdown(wait=True)


def cores() -> int:
    """Return how many cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS and Windows
        return os.cpu_count() or 1
