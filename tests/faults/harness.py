"""Kills commands at random moments, runs them again, and compares what they leave with an uninterrupted run.

Commands run in processes forked from one that has imported everything, so that a trial takes seconds.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import multiprocessing
import os
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # equal to the bit is promised for one thread
CONTEXT: ForkServerContext = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(
    [
        "cass.workflows.compare",
        "cass.benchmarking.run",
        "cass.workflows.prepare",
        "cass.workflows.embed",
        "timm",
        "lightly",
    ]
)
LONGEST = 300.0
"""Seconds after which a command counts as hanging."""
TIMES = ("seconds", "images_per_second", "epoch_seconds", "peak", "memory", "waiting", "estimate")
SKIPPED = (
    "environment.json",
    "config.yaml",
    "resolved.json",
    "timing.json",
    "log.txt",
    "prepare.json",
    "map.csv",
    "tables.md",
)


@dataclass(frozen=True)
class Job:
    """A command that can be killed and taken up again.

    Attributes:
        first: Its words.
        again: Its words after it was killed, once it has begun; before that, the first ones.
        out: What it writes, relative to the folder it runs in.
        begun: What is there once ``again`` has something to continue, as a pattern.
        own_cache: Whether each trial decodes its images anew, and the cache is compared too.
    """

    first: tuple[str, ...]
    again: tuple[str, ...]
    out: str
    begun: str
    own_cache: bool = False


def _main(words: Sequence[str], folder: str, cache: str, log: str) -> None:
    """Run the command line in a process group of its own."""
    os.setsid()
    os.chdir(folder)
    os.environ["CASS_CACHE_DIR"] = cache
    with open(log, "a", encoding="utf-8") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.argv = ["cass", *words]
    from cass.cli import main

    main()


def start(words: Sequence[str], folder: Path, cache: Path) -> ForkServerProcess:
    """Start a command in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    process = CONTEXT.Process(
        target=_main, args=(list(words), str(folder), str(cache), str(folder / "printed.txt"))
    )
    process.start()
    return process


def finish(process: ForkServerProcess, folder: Path) -> None:
    """Wait for a command, which must succeed."""
    process.join(LONGEST)
    if process.is_alive():
        kill(process)
        raise AssertionError(f"the command hangs: {(folder / 'printed.txt').read_text()}")
    assert process.exitcode == 0, (folder / "printed.txt").read_text()


def kill(process: ForkServerProcess) -> None:
    """Kill a command and the processes that it has started."""
    try:
        os.killpg(process.pid or 0, signal.SIGKILL)
    except ProcessLookupError:  # it has not made its group yet, or has ended
        process.kill()
    process.join()


def uninterrupted(job: Job, folder: Path, cache: Path) -> tuple[dict[str, str], float]:
    """Run a job as a whole, twice; returns what the first left and how many seconds the second took.

    The first may take longer, because what it computes about the set is kept in the cache.
    """
    for trial in (folder, folder / "again"):
        (trial / "made").mkdir(parents=True, exist_ok=True)
        began = time.monotonic()
        finish(start(job.first, trial, trial / "cache" if job.own_cache else cache), trial)
    seconds = time.monotonic() - began
    shutil.rmtree(folder / "again")
    return content(job, folder, folder / "cache" if job.own_cache else cache), seconds


def killed(
    job: Job, folder: Path, cache: Path, *, after: float, whole: dict[str, str]
) -> tuple[dict[str, str], bool]:
    """Kill a job after some seconds and run it again, unless it had left the whole already.

    Returns:
        What it left, and whether it was killed before it had finished.
    """
    cache = folder / "cache" if job.own_cache else cache
    process = start(job.first, folder, cache)
    process.join(after)
    in_time = process.is_alive()
    kill(process)
    if content(job, folder, cache) == whole:
        in_time = False
    else:
        words = job.again if any(folder.glob(job.begun)) else job.first
        finish(start(words, folder, cache), folder)
    return content(job, folder, cache), in_time


def content(job: Job, folder: Path, cache: Path) -> dict[str, str]:
    """Digest every file that a job left, without times and paths; partial files count, too."""
    places = [folder / job.out, *([cache] if job.own_cache else [])]
    files = [path for place in places for path in ([place] if place.is_file() else sorted(place.rglob("*")))]
    found = {"names": " ".join(sorted(path.name for path in folder.iterdir() if path.name != "printed.txt"))}
    for path in files:
        skipped = (
            path.name in SKIPPED
            or path.suffix in (".png", ".lock", ".tex", ".pdf", ".ckpt")
            or "tensorboard" in str(path)
        )
        if path.is_file() and not (skipped and ".partial" not in path.name):
            found[str(path.relative_to(folder))] = hashlib.sha256(_plain(path)).hexdigest()
    return found


def _plain(path: Path) -> bytes:
    """Read a file without what differs between two runs that did the same."""
    if path.suffix == ".csv":
        with path.open(encoding="utf-8", newline="") as file:
            rows = [{key: cell for key, cell in row.items() if not _timed(key)} for row in csv.DictReader(file)]
        return json.dumps(rows).encode()
    if path.suffix == ".json":
        return json.dumps(_without_times(json.loads(path.read_text(encoding="utf-8")))).encode()
    if path.suffix == ".parquet":
        import pandas as pd

        table = pd.read_parquet(path)
        return table[[name for name in table.columns if not _timed(name)]].to_csv().encode()
    if path.suffix == ".npz":
        import numpy as np

        with np.load(path, allow_pickle=False) as arrays:
            return b"".join(name.encode() + arrays[name].tobytes() for name in arrays.files)
    if path.suffix == ".md":
        lines = io.StringIO(path.read_text(encoding="utf-8"))
        return "".join(line for line in lines if "seconds" not in line and "minutes" not in line).encode()
    return path.read_bytes()


def _timed(name: str) -> bool:
    return any(word in name for word in TIMES)


def _without_times(value: Any) -> Any:
    """Drop entries of a JSON value that say how long something took."""
    if isinstance(value, dict):
        return {key: _without_times(entry) for key, entry in value.items() if not _timed(key)}
    return [_without_times(entry) for entry in value] if isinstance(value, list) else value
