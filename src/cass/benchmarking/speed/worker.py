"""A contestant in a process of its own: its memory is its own, and it keeps still while others are timed."""

from __future__ import annotations

import gc
import os
import sys
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal

from cass.benchmarking.speed.contestants import Timing
from cass.config.speed import SpeedConfig
from cass.data.store.store import ImageStore
from cass.errors import CassError
from cass.hardware import peak_memory
from cass.types import BranchName

Kind = Literal["bare", "cass", "published", "dino", "simsiam", "byol"]


class Worker:
    """A contestant that waits to be told to run.

    Args:
        kind: Which contestant.
        config: Settings.
        paths: Files of the training images.
        images: The same images decoded, for cass itself.
        branch: The network, for those that train one alone.
    """

    def __init__(
        self,
        kind: Kind,
        config: SpeedConfig,
        *,
        paths: list[Path],
        images: ImageStore,
        branch: BranchName | None = None,
    ) -> None:
        context = get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, kind, config, paths, images, branch))
        self._process.start()
        theirs.close()
        self.facts: dict[str, Any] = self._ask("facts")

    def run(self, steps: int) -> Timing:
        """Do some steps and return what they took."""
        timing: Timing = self._ask(steps)
        return timing

    def peak_memory(self) -> int:
        """Return the most memory in use so far, in bytes: the GPU's, or the process's where there is none."""
        return int(self._ask("memory"))

    def close(self) -> None:
        """End the process."""
        if self._process.is_alive():
            self._pipe.send("end")
        self._process.join(timeout=30)
        if self._process.is_alive():
            self._process.kill()

    def _ask(self, what: Any) -> Any:
        self._pipe.send(what)
        try:
            answer = self._pipe.recv()
        except EOFError:
            raise CassError(
                "A contestant of the benchmark ended unexpectedly",
                "Often memory: use smaller networks, --image-size or --batch-size.",
            ) from None
        if isinstance(answer, Exception):
            raise answer
        return answer


def _serve(
    pipe: Connection,
    kind: Kind,
    config: SpeedConfig,
    paths: list[Path],
    images: ImageStore,
    branch: BranchName | None,
) -> None:
    """Build the contestant and do what is asked until told to end."""
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    try:
        contestant = _build_contestant(kind, config, paths, images, branch)
    except CassError as error:
        pipe.recv()
        pipe.send(error)
        return
    while (what := pipe.recv()) != "end":
        if what == "facts":
            pipe.send({"formats": contestant.formats, "flops": contestant.flops()} if kind == "bare" else {})
        elif what == "memory":
            pipe.send(peak_memory(contestant.device))
        else:
            pipe.send(contestant.run(what))
    del contestant
    gc.collect()  # ends the loaders' own processes
    os._exit(0)  # what else is left is slow to say goodbye


def _build_contestant(
    kind: Kind, config: SpeedConfig, paths: list[Path], images: ImageStore, branch: BranchName | None
) -> Any:
    if kind == "bare":
        from cass.benchmarking.speed.bare import Bare

        return Bare(config)
    if kind == "cass":
        from cass.benchmarking.speed.loop import Loop

        return Loop(config, images, [row for row in range(len(paths)) if row not in images.unreadable])
    if kind == "published" or branch is None:
        from cass.benchmarking.speed.published import Published

        return Published(config, paths)
    from cass.benchmarking.speed.rivals import Rival

    return Rival(kind, branch, config, paths)
