from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cass.benchmarking import slurm
from cass.benchmarking.slurm import CellJob, run_on_slurm
from cass.errors import ConfigError

pytest.importorskip("submitit", reason="submitit is not installed")


class Told:
    """Counts how often it is told that time has passed."""

    ticks = 0

    def tick(self) -> None:
        self.ticks += 1


def test_a_job_whose_time_is_up_is_queued_again_with_the_same_cell() -> None:
    cell: Any = object()
    again = CellJob().checkpoint(cell)
    assert isinstance(again.function, CellJob)
    assert again.args == (cell,)


def test_a_job_continues_its_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    done = []
    monkeypatch.setattr(slurm, "work", done.append)
    monkeypatch.setattr(slurm, "set_up_logging", lambda: None)
    cell: Any = object()
    CellJob()(cell)
    CellJob().checkpoint(cell).function(cell)
    assert done == [cell, cell]


def test_a_job_that_ends_leaves_word_and_the_rest_is_cancelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left: list[tuple[Any, str]] = []
    pauses = iter([None, KeyboardInterrupt])

    def pause() -> None:
        if next(pauses) is KeyboardInterrupt:
            raise KeyboardInterrupt

    class Job:
        state, job_id = "FAILED", "17"

        def __init__(self, ended: bool) -> None:
            self.ended, self.cancelled = ended, False
            self.paths = type("Paths", (), {"stderr": Path("17_0_log.err")})

        def done(self) -> bool:
            return self.ended

        def cancel(self) -> None:
            self.cancelled = True

    jobs = iter(made := [Job(True), Job(False)])

    class Executor:
        def batch(self) -> Any:
            from contextlib import nullcontext

            return nullcontext()

        def submit(self, job: CellJob, cell: Any) -> Job:
            return next(jobs)

    monkeypatch.setattr(slurm, "_executor", lambda *_: Executor())
    monkeypatch.setattr(slurm, "pause", pause)
    monkeypatch.setattr(slurm, "record_unfinished", lambda cell, why: left.append((cell, why)))
    told: Any = Told()
    cells: Any = ["first", "second"]
    with pytest.raises(KeyboardInterrupt):
        run_on_slurm(cells, told, folder=tmp_path, arguments={})
    assert left == [("first", "The job 17 ended (FAILED); see 17_0_log.err in the folder slurm.")]
    assert [job.cancelled for job in made] == [False, True]
    assert told.ticks == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"partition": "gpu"}, "--slurm: .*Run it on a machine that can submit SLURM jobs"),
        ({"cluster": "local", "partitoin": "gpu"}, "--slurm-args .*partitoin.*Fix the arguments"),
    ],
)
def test_mistakes_are_one_line(tmp_path: Path, arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        run_on_slurm([], Told(), folder=tmp_path, arguments=arguments)  # type: ignore[arg-type]
