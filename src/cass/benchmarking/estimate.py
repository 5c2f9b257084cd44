"""How far a benchmark has come, and how long what is left will take."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean

from cass.benchmarking.steps import Step
from cass.reports.lines import duration

log = logging.getLogger("cass")


@dataclass(frozen=True)
class Estimate:
    """What is left.

    Attributes:
        total: Steps altogether.
        done: Steps whose results are there.
        seconds: Time for the rest, one step after another; None where nothing like it has been done.
        unknown: Steps of the rest that the estimate takes from quite different ones.
    """

    total: int
    done: int
    seconds: float | None
    unknown: int


def estimate(steps: Sequence[Step]) -> Estimate:
    """Estimate the time left from steps that are done: those most alike count.

    Args:
        steps: All steps.

    Returns:
        The estimate.
    """
    done = [step.done for step in steps]
    rates: dict[tuple[str, ...], list[float]] = {}
    for step, is_done in zip(steps, done, strict=True):
        seconds = step.seconds if is_done else None
        if seconds is not None:
            for key, cost in _likeness(step).items():
                rates.setdefault(key, []).append(seconds / cost)
    left, unknown = 0.0, 0
    waiting = [step for step, is_done in zip(steps, done, strict=True) if not is_done]
    for step in waiting:
        likeness = _likeness(step)
        known = [key for key in likeness if key in rates]
        if not known:
            return Estimate(len(steps), sum(done), None, len(waiting))
        left += mean(rates[known[0]]) * likeness[known[0]]
        unknown += known[0] not in list(likeness)[:2]
    return Estimate(len(steps), sum(done), left, unknown)


def _likeness(step: Step) -> dict[tuple[str, ...], float]:
    """Name the kinds of steps whose time is alike, the most similar first, and what it is proportional to.

    The time of a method grows with its epochs; of another method, whose epochs cost something else, the whole
    time tells more.
    """
    cell = step.cell
    kind = "start" if step.tuning is None and not cell.pretraining else "pretrain"
    kind = kind if step.tuning is None else "tune"
    networks = (cell.config.cnn, cell.config.transformer, str(cell.config.image_size))
    if step.tuning is None:
        epochs = float(cell.config.epochs) if cell.pretraining else 1.0
        own = (kind, cell.data.name, *networks, cell.method)
        return {own: epochs, (kind, cell.data.name, *networks): 1.0, (kind,): 1.0}
    tuning = (step.tuning.protocol, f"{step.tuning.fraction:g}")
    return dict.fromkeys([(kind, cell.data.name, *networks, *tuning), (kind, *networks, *tuning), (kind,)], 1.0)


class Progress:
    """Says after steps how many are done and how long the rest takes.

    Args:
        steps: All steps.
        jobs: Steps that are done side by side.
        every: Fewest seconds between two lines.
    """

    def __init__(self, steps: Sequence[Step], *, jobs: int, every: float = 0.0) -> None:
        self.steps = steps
        self.jobs = jobs
        self.every = every
        self._shown = -1
        self._when = float("-inf")

    def tick(self) -> None:
        """Say how far it has come, where that has changed."""
        if time.monotonic() - self._when < self.every:
            return
        now = estimate(self.steps)
        self._when = time.monotonic()
        if now.done == self._shown:
            return
        self._shown = now.done
        left = "" if now.seconds is None else f", about {duration(now.seconds / self.jobs)} left"
        log.info("Benchmark: %d of %d steps done%s.", now.done, now.total, left if now.done < now.total else "")
