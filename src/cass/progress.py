"""The one progress bar: on a terminal; elsewhere a line from time to time."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from cass.logs import is_quiet

log = logging.getLogger("cass")

LINE_SECONDS = 10.0
"""Fewest seconds between two lines of a pass over images."""
LOG_SECONDS = 60.0
"""Fewest seconds between two log messages of a pass that reports how many images are done."""


class Bar:
    """A bar on standard error: percentage, time passed, time left, and figures.

    Args:
        title: What is being done.
        total: Number of steps altogether.
        done: Steps that an earlier process did.
    """

    def __init__(self, title: str, *, total: int, done: int = 0) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[figures]}"),
            console=Console(stderr=True),
        )
        self._task = self._progress.add_task(title, total=total, completed=done, figures="")
        self._progress.start()

    def show(self, done: int, figures: str) -> None:
        """Move the bar to the number of steps done, with figures beside it."""
        self._progress.update(self._task, completed=done, figures=figures)

    def close(self) -> None:
        """Leave the bar as it is."""
        self._progress.stop()


def open_bar(title: str, *, total: int, done: int = 0) -> Bar | None:
    """Open a bar where standard error is a terminal.

    Args:
        title: What is being done.
        total: Number of steps altogether.
        done: Steps that an earlier process did.

    Returns:
        The bar; None where there is no terminal, and where only warnings are to be shown.
    """
    if is_quiet() or not Console(stderr=True).is_terminal:
        return None
    return Bar(title, total=total, done=done)


class ImageProgress:
    """Show how many images are done, how many per second, and the time left.

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
        self._bar: Bar | None = None

    def __enter__(self) -> ImageProgress:
        """Start the clock."""
        self._started = self._shown = time.monotonic()
        self._bar = open_bar(self.title, total=self.total, done=self.done)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the bar, whatever stopped the pass."""
        if self._bar is not None:
            self._bar.close()

    def advance(self, count: int) -> None:
        """Count images; show the progress where that is due."""
        self._here += count
        self.done += count
        now = time.monotonic()
        rate = self._here / max(now - self._started, 1e-9)
        if self._bar is not None:
            self._bar.show(self.done, f"{rate:.0f} {self.unit}/s")
        elif now - self._shown >= LINE_SECONDS and not is_quiet():
            self._shown = now
            left = (self.total - self.done) / max(rate, 1e-9)
            sys.stderr.write(
                f"{self.title}: {self.done}/{self.total} {self.unit}  {rate:.0f} {self.unit}/s  "
                f"{left:.0f} s left\n"
            )


@contextmanager
def image_counter(total: int, doing: str = "Decoding") -> Iterator[Callable[[int], None]]:
    """Show on standard error how many images are done: a bar on a terminal, else a log message every minute.

    Args:
        total: Number of images.
        doing: What is done with them.

    Yields:
        A function that takes the number of images done so far.
    """
    bar = open_bar(doing, total=total)
    if bar is not None:
        try:
            yield lambda done: bar.show(done, f"{done}/{total} images")
        finally:
            bar.close()
        return
    started = last = time.monotonic()

    def report(done: int) -> None:
        nonlocal last
        now = time.monotonic()
        if done and now - last >= LOG_SECONDS:
            last = now
            left = (now - started) / done * (total - done)
            log.info("%s images: %s of %s done, about %.0f s left.", doing, f"{done:,}", f"{total:,}", left)

    yield report
