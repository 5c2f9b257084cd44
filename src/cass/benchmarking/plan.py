"""What ``cass benchmark --plan`` shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cass.reports.lines import duration
from cass.reports.tables import Cells


@dataclass(frozen=True)
class PlanLine:
    """Cells of one kind.

    Attributes:
        data: Data set.
        network: Pair of networks.
        method: Method.
        cells: Pretrainings, or starts without one.
        steps: Those and their fine-tunings.
        done: Steps whose results are there.
        seconds: Time for the rest of them, one after another; None where nothing tells.
    """

    data: str
    network: str
    method: str
    cells: int
    steps: int
    done: int
    seconds: float | None


def plan_table(plan: Sequence[PlanLine], *, seconds_left: float | None) -> Cells:
    """Lay out what there is to do.

    Args:
        plan: A line for each data set, pair of networks and method.
        seconds_left: Time for all that is left, in seconds; None where nothing tells.

    Returns:
        The table; its title sums up.
    """
    rows = [
        [line.data, line.network, line.method, str(line.cells), str(line.steps), str(line.done), time_left(line)]
        for line in plan
    ]
    done, steps = sum(line.done for line in plan), sum(line.steps for line in plan)
    left = "time unknown until a step is done" if seconds_left is None else f"about {duration(seconds_left)} left"
    head = ["data", "networks", "method", "cells", "steps", "done", "time left"]
    return Cells(f"{done} of {steps} steps done; {'all done' if done == steps else left}", head, rows)


def time_left(line: PlanLine) -> str:
    """Write the time that a line still takes."""
    if line.done == line.steps:
        return "-"
    return "unknown" if line.seconds is None else duration(line.seconds)
