"""Who does the work: this process, several side by side, each with a GPU of its own where there are several."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess

from cass.benchmarking.cells import Cell
from cass.benchmarking.estimate import Progress
from cass.benchmarking.steps import free_first, record_unfinished, work
from cass.logs import set_up_logging

POLL_SECONDS = 1.0
MEMORY_OF_A_JOB = 8 * 2**30


def run_here(cells: Sequence[Cell], progress: Progress) -> None:
    """Do the cells one after another in this process.

    Args:
        cells: Those with something left to do.
        progress: Told after each step.

    Raises:
        Interrupted: Where the user stopped it.
    """
    for cell in free_first(cells):
        work(cell, after=progress.tick)


def run_side_by_side(cells: Sequence[Cell], progress: Progress, *, jobs: int) -> None:
    """Do the cells in processes of their own, some at a time; what they say goes to ``log.txt`` in each cell.

    Args:
        cells: Those with something left to do.
        progress: Told now and then.
        jobs: Most processes at a time.

    Raises:
        KeyboardInterrupt: Where the user stopped it; the processes have ended.
    """
    waiting, running = free_first(cells), dict[int, tuple[SpawnProcess, Cell]]()
    gpus = visible_gpus()
    try:
        while True:
            for slot in set(range(jobs)) - set(running):
                if cell := next(waiting, None):
                    running[slot] = _start_process(cell, slot=slot, jobs=jobs, gpus=gpus)
            if not running:
                break
            wait([process.sentinel for process, _ in running.values()], timeout=POLL_SECONDS)
            for slot, (process, cell) in list(running.items()):
                if process.exitcode is not None:
                    del running[slot]
                    _record_exit(cell, process.exitcode)
            progress.tick()
    finally:
        for process, _ in running.values():
            process.terminate()
        for process, _ in running.values():
            process.join()


def room() -> int:
    """Return how many processes fit: one for each GPU; without any, one for each core and 8 GiB of memory.

    On a CPU small networks keep several cores busy better as several processes than as threads of one.
    """
    if gpus := visible_gpus():
        return len(gpus)
    try:
        cores = len(os.sched_getaffinity(0))
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # not every system tells
        return 1
    return max(1, min(cores, memory // MEMORY_OF_A_JOB))


def visible_gpus() -> list[str]:
    """Return the GPUs to share out, by the names that CUDA_VISIBLE_DEVICES takes; empty without any."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [name for name in named.split(",") if name.strip()]
    import torch

    return [str(index) for index in range(torch.cuda.device_count())]


def _start_process(cell: Cell, *, slot: int, jobs: int, gpus: Sequence[str]) -> tuple[SpawnProcess, Cell]:
    surroundings = {} if "OMP_NUM_THREADS" in os.environ else {"OMP_NUM_THREADS": _threads(jobs)}
    if gpus:
        surroundings["CUDA_VISIBLE_DEVICES"] = gpus[slot % len(gpus)]
    process = multiprocessing.get_context("spawn").Process(target=_child, args=(cell,))
    with _environment(surroundings):
        process.start()
    return process, cell


def _threads(jobs: int) -> str:
    return str(max(1, (os.cpu_count() or 1) // jobs))


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """Set variables for the processes that are started within."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _child(cell: Cell) -> None:
    """Do one cell; end at once where the process that shares out the work has ended."""
    if hasattr(os, "setpgrp"):
        os.setpgrp()  # Ctrl-C reaches the parent alone, which then ends this process
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=lambda: (wait([parent.sentinel]), os._exit(1)), daemon=True).start()
    cell.folder.mkdir(parents=True, exist_ok=True)
    with (cell.folder / "log.txt").open("a", encoding="utf-8", buffering=1) as file:
        sys.stderr = file
        set_up_logging(file)
        work(cell)


def _record_exit(cell: Cell, exitcode: int) -> None:
    """Record that a process ended before its cell was done."""
    if exitcode:
        how = f"signal {-exitcode}, often for lack of memory" if exitcode < 0 else f"exit code {exitcode}"
        record_unfinished(cell, f"The process ended unexpectedly ({how}); see log.txt in {cell.name}.")


def pause() -> None:
    """Wait a little before looking again."""
    time.sleep(POLL_SECONDS)
