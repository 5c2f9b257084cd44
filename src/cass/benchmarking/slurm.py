"""Cells as SLURM jobs, through submitit."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cass.benchmarking.cells import Cell
from cass.benchmarking.estimate import Progress
from cass.benchmarking.jobs import pause
from cass.benchmarking.steps import record_unfinished, work
from cass.errors import ConfigError
from cass.logs import set_up_logging

log = logging.getLogger("cass")


class CellJob:
    """What a job runs. A job that is preempted, or whose time is up, is queued again and continues."""

    def __call__(self, cell: Cell) -> None:
        """Do what is left of a cell."""
        set_up_logging()
        work(cell)

    def checkpoint(self, cell: Cell) -> Any:
        """Say what to queue where the job has to stop: the same again, since everything whole is on disk."""
        import submitit

        return submitit.helpers.DelayedSubmission(self, cell)


def run_on_slurm(cells: Sequence[Cell], progress: Progress, *, folder: Path, arguments: dict[str, Any]) -> None:
    """Submit each cell as a job, and wait for all.

    Args:
        cells: Those with something left to do.
        progress: Told now and then.
        folder: Folder of the jobs' scripts and logs, seen by all machines.
        arguments: What submitit is told: its common parameters (``timeout_min``, ``gpus_per_node``, ...) and
            SLURM's own (``partition``, ...). ``cluster: local`` runs the jobs as processes of this machine.

    Raises:
        ConfigError: there is no SLURM here, or it refuses the arguments.
        KeyboardInterrupt: Where the user stopped it; the jobs are cancelled.
    """
    executor = _executor(folder, dict(arguments))
    with executor.batch():
        jobs = [executor.submit(CellJob(), cell) for cell in cells]
    log.info("Submitted %d jobs; their logs are in %s. Ctrl-C cancels them.", len(jobs), folder)
    waiting = list(zip(jobs, cells, strict=True))
    try:
        while waiting:
            pause()
            for job, cell in [pair for pair in waiting if pair[0].done()]:
                waiting.remove((job, cell))
                where = f"{job.paths.stderr.name} in the folder slurm"
                record_unfinished(cell, f"The job {job.job_id} ended ({job.state}); see {where}.")
            progress.tick()
    finally:
        for job, _ in waiting:
            job.cancel()


def _executor(folder: Path, arguments: dict[str, Any]) -> Any:
    import submitit

    cluster = arguments.pop("cluster", "slurm")
    common = submitit.AutoExecutor._typed_parameters()
    prefixed = {
        name if name in common or name.startswith(f"{cluster}_") else f"{cluster}_{name}": value
        for name, value in arguments.items()
    }
    try:
        executor = submitit.AutoExecutor(folder=folder, cluster=cluster)
        executor.update_parameters(**{"name": "cass", **prefixed})
    except (RuntimeError, ValueError) as error:
        raise ConfigError(f"--slurm: {error}", "Run it on a machine that can submit SLURM jobs.") from None
    except (NameError, AssertionError, TypeError) as error:
        raise ConfigError(f"--slurm-args {arguments}: {error}", "Fix the arguments.") from None
    return executor
