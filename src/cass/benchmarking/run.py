"""``cass benchmark``: methods against each other, on data sets, label fractions and seeds."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cass.benchmarking.cells import Benchmark
from cass.benchmarking.estimate import Progress, estimate
from cass.benchmarking.jobs import room, run_here, run_side_by_side
from cass.benchmarking.outcome import Outcome
from cass.benchmarking.plan import PlanLine, plan_table
from cass.benchmarking.resolving import SPEC_COPY, resolve_benchmark
from cass.benchmarking.results import collect, write_results
from cass.benchmarking.slurm import run_on_slurm
from cass.benchmarking.steps import Step, all_steps, steps_of
from cass.config.benchmark import BenchmarkConfig
from cass.files import write_text
from cass.reports.tables import Cells

log = logging.getLogger("cass")


@dataclass(frozen=True)
class BenchmarkResult:
    """A benchmark.

    Attributes:
        out: Folder of the results.
        plan: What there is to do, a line for each data set, pair of networks and method.
        seconds_left: Time for what is left, with as many processes as work; None where nothing tells.
        outcome: What is finished; None where only the plan was asked for.
    """

    out: Path
    plan: list[PlanLine]
    seconds_left: float | None
    outcome: Outcome | None

    @property
    def complete(self) -> bool:
        """Whether every result is there."""
        return all(line.done == line.steps for line in self.plan)

    @property
    def exit_code(self) -> int:
        """Exit code of the command: 1 where results are missing."""
        return int(self.outcome is not None and not self.complete)


def run_benchmark(config: BenchmarkConfig, resolved: Benchmark | None = None) -> BenchmarkResult:
    """Compare methods on data sets over label fractions and seeds; what is finished is never computed again.

    Args:
        config: Settings of ``cass benchmark``; :class:`cass.benchmarking.spec.BenchmarkSpec` reads its file.
        resolved: What :func:`resolve_benchmark` returned; None calls it.

    Returns:
        What is finished. A cell that failed is in ``outcome.missing`` with its reason; the next call tries it
        again.

    Raises:
        CassError: Something in the file cannot be used; raised before anything is computed.
        KeyboardInterrupt: It was stopped; what is finished has been reported, and the next call continues.
    """
    work = resolved or resolve_benchmark(config)
    out = work.out
    steps = all_steps(work)
    if config.plan:
        return _result(work, steps, config, outcome=None)
    out.mkdir(parents=True, exist_ok=True)
    write_text(out / SPEC_COPY, config.spec.read_text(encoding="utf-8"))
    try:
        _run(work, steps, config)
    finally:  # after Ctrl-C too, what is finished is reported
        outcome = collect(work)
        write_results(work, outcome)
    return _result(work, steps, config, outcome=outcome)


def show(result: BenchmarkResult, config: BenchmarkConfig) -> Iterator[str | Cells]:
    """Yield what the command prints."""
    if result.outcome is None:
        yield plan_table(result.plan, seconds_left=result.seconds_left)
        return
    yield f"Wrote {result.out}: tables.md, tables.tex, claims.md, runs.csv, pretraining.csv and plots"
    if not result.complete:
        log.error(
            "%d results are missing; tables.md gives the reasons. The same command tries again.",
            len(result.outcome.missing),
        )


def _run(work: Benchmark, steps: list[Step], config: BenchmarkConfig) -> None:
    """Do what is left."""
    for data in work.sets.values():
        data.write()
    cells = [cell for cell in work.cells.values() if not all(step.done for step in steps_of(cell))]
    if not cells:
        log.info("All %d steps are finished.", len(steps))
        return
    if config.slurm:
        progress = Progress(steps, jobs=len(cells), every=30)
        run_on_slurm(cells, progress, folder=work.out / "slurm", arguments=config.slurm_args)
        return
    jobs = min(config.jobs or room(), len(cells))
    if jobs > 1:
        log.info("%d parallel processes; each logs to log.txt in the folder of its cell.", jobs)
        run_side_by_side(cells, Progress(steps, jobs=jobs, every=10), jobs=jobs)
    else:
        run_here(cells, Progress(steps, jobs=1))


def _result(
    work: Benchmark, steps: list[Step], config: BenchmarkConfig, *, outcome: Outcome | None
) -> BenchmarkResult:
    seconds = estimate(steps).seconds
    left = None if seconds is None else seconds / (config.jobs or room())
    return BenchmarkResult(work.out, _plan_lines(work), left, outcome)


def _plan_lines(work: Benchmark) -> list[PlanLine]:
    """Sum the steps up by data set, networks and method."""
    place = {point.cell: (point.place.data, point.place.network, point.place.method) for point in work.points}
    every = all_steps(work)
    cells = Counter(place[name] for name in work.cells)
    return [
        PlanLine(*kind, cells=count, steps=total.total, done=total.done, seconds=_seconds_of(every, steps))
        for kind, count in cells.items()
        for steps in [[step for step in every if place[step.cell.name] == kind]]
        for total in [estimate(steps)]
    ]


def _seconds_of(every: list[Step], steps: list[Step]) -> float | None:
    """Estimate the rest of some steps from all that are done."""
    chosen = {(step.cell.name, step.name) for step in steps}
    alike = [step for step in every if step.done or (step.cell.name, step.name) in chosen]
    return estimate(alike).seconds
