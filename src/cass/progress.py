"""How far a pass over images has come: a bar on a terminal, elsewhere a line now and then."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

log = logging.getLogger("cass")

LINE_SECONDS = 10.0


class ImageProgress:
    """Show how many images are done, how many a second, and the time left.

    Args:
        title: What is being done.
        total: Number of images altogether.
        done: Images that an earlier process did.
        unit: What is counted.
    """

    def __init__(self, title: str, *, total: int, done: int = 0, unit: str = "images") -> None:
        self.title = title
        self.total = total
        self.done = done
        self.unit = unit
        self._here = 0
        self._bar: Progress | None = None

    def __enter__(self) -> ImageProgress:
        """Start the clock."""
        self._started = self._shown = time.monotonic()
        console = Console(stderr=True)
        if console.is_terminal:
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.percentage:>3.0f}%"),
                TimeElapsedColumn(),
                TextColumn("left"),
                TimeRemainingColumn(),
                TextColumn("{task.fields[rate]}"),
                console=console,
            )
            self._bar.start()
            self._task = self._bar.add_task(self.title, total=self.total, completed=self.done, rate="")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the bar, whatever stopped the pass."""
        if self._bar is not None:
            self._bar.stop()

    def advance(self, count: int) -> None:
        """Count images; show it where that is due."""
        self._here += count
        self.done += count
        now = time.monotonic()
        rate = self._here / max(now - self._started, 1e-9)
        if self._bar is not None:
            self._bar.update(self._task, completed=self.done, rate=f"{rate:.0f} {self.unit}/s")
        elif now - self._shown >= LINE_SECONDS:
            self._shown = now
            left = (self.total - self.done) / max(rate, 1e-9)
            sys.stderr.write(
                f"{self.title}: {self.done}/{self.total} {self.unit}  {rate:.0f} {self.unit}/s  "
                f"{left:.0f} s left\n"
            )


@contextmanager
def shown(total: int, doing: str = "Decoding") -> Iterator[Callable[[int], None]]:
    """Show on standard error how many images are done: a bar on a terminal, else a line a minute.

    Args:
        total: Number of images.
        doing: What is done with them.

    Yields:
        A function that takes the number of images done so far.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if console.is_terminal:
        columns = (TextColumn(doing), BarColumn(), MofNCompleteColumn(), TextColumn("left"))
        with Progress(*columns, TimeRemainingColumn(), console=console) as bar:
            task = bar.add_task("", total=total)
            yield lambda done: bar.update(task, completed=done)
        return
    started = said = time.monotonic()

    def say(done: int) -> None:
        nonlocal said
        now = time.monotonic()
        if done and now - said >= 60:
            said = now
            left = (now - started) / done * (total - done)
            log.info("%s images: %s of %s done, about %.0f s left.", doing, f"{done:,}", f"{total:,}", left)

    yield say
