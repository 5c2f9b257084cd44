"""The one progress bar: on a terminal; elsewhere a line from time to time."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task
from rich.text import Text

from cass.logs import is_quiet

LINE_SECONDS = 10.0
"""Seconds until the first line without a terminal; the wait doubles after each line."""
MOST_LINE_SECONDS = 300.0
"""Most seconds between two lines."""
WIDE = 180
"""Columns of a terminal from which on the bar is drawn wide."""


class Pace:
    """The time left, estimated from the steps done here.

    Args:
        total: Number of steps altogether.
        done: Steps that an earlier process did.
    """

    def __init__(self, total: int, *, done: int = 0) -> None:
        self.total = total
        self._marks = [(time.monotonic(), done)]

    def reach(self, done: int) -> None:
        """Note the number of steps done by now."""
        # The start, the first step, and the last one: the first step is slow, so that it counts only by itself.
        self._marks[2:] = []
        self._marks.append((time.monotonic(), done))

    def seconds_left(self) -> float | None:
        """Estimate the seconds left; None before the first step."""
        (now, steps), (since, before) = self._marks[-1], self._marks[0 if len(self._marks) < 3 else 1]
        if steps <= before:
            return None
        return max(0.0, (now - since) / (steps - before) * (self.total - steps) - (time.monotonic() - now))

    def clock(self) -> str:
        """Return the time left as h:mm:ss, or dashes before the first step."""
        seconds = self.seconds_left()
        return "-:--:--" if seconds is None else clock(seconds)


class LineClock:
    """Tells when a line is due where there is no terminal: soon after the start, then less and less often."""

    def __init__(self) -> None:
        self._wait = LINE_SECONDS
        self._since = time.monotonic()

    def is_due(self) -> bool:
        """Tell whether a line is due now; if so, it counts as written."""
        if time.monotonic() - self._since < self._wait:
            return False
        self._wait = min(2 * self._wait, MOST_LINE_SECONDS)
        self.restart()
        return True

    def restart(self) -> None:
        """Wait anew, since another line has been written."""
        self._since = time.monotonic()


def clock(seconds: float) -> str:
    """Return a duration as h:mm:ss."""
    return str(timedelta(seconds=round(seconds)))


class Bar:
    """A bar on standard error: percentage, time passed, time left, and figures.

    The percentage and the times are always there; the figures fill the room that the terminal leaves.

    Args:
        title: What is being done.
        total: Number of steps altogether.
        done: Steps that an earlier process did.
        console: Where to draw; default: standard error.
    """

    def __init__(self, title: str, *, total: int, done: int = 0, console: Console | None = None) -> None:
        console = console or Console(stderr=True)
        self._pace = Pace(total, done=done)
        width = 40 if console.width >= WIDE else 10
        self._progress = Progress(
            _Title(console, self._pace, bar=width),
            BarColumn(bar_width=width),
            _Times(console, self._pace, bar=width),
            console=console,
        )
        self._task = self._progress.add_task(title, total=total, completed=done, figures=())
        self._progress.start()

    def show(self, done: int, *figures: str) -> None:
        """Move the bar to the number of steps done.

        Args:
            done: Steps done.
            figures: What to show beside it, the most important first; those that do not fit are not shown.
        """
        self._pace.reach(done)
        self._progress.update(self._task, completed=done, figures=figures)

    def close(self) -> None:
        """Leave the bar as it is."""
        self._progress.stop()


class _Column(ProgressColumn):
    """What the columns beside the bar share: they know how much room there is."""

    def __init__(self, console: Console, pace: Pace, *, bar: int) -> None:
        super().__init__()
        self._console = console
        self._pace = pace
        self._bar = bar

    def times(self, task: Task) -> Text:
        """Return the percentage, the time passed and the time left."""
        passed = task.finished_time if task.finished else task.elapsed
        return Text.assemble(
            f"{task.percentage:>3.0f}% ",
            (clock(passed or 0.0), "progress.elapsed"),
            " left ",
            (self._pace.clock(), "progress.remaining"),
        )

    def title(self, task: Task) -> Text:
        """Return the title, shortened where the times need its room."""
        title = Text(task.description, no_wrap=True)
        title.truncate(
            max(1, self._console.width - self._bar - self.times(task).cell_len - 2), overflow="ellipsis"
        )
        return title


class _Title(_Column):
    def render(self, task: Task) -> Text:
        """Draw what is left of the bar."""
        return self.title(task)


class _Times(_Column):
    def render(self, task: Task) -> Text:
        """Draw the times, and the figures that fit."""
        text = self.times(task)
        room = self._console.width - self._bar - self.title(task).cell_len - 2
        for figure in task.fields["figures"]:
            more = f"  {figure}"
            if text.cell_len + len(more) > room:
                break
            text.append(more)
        text.no_wrap = True
        return text


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
        self._started = time.monotonic()
        self._pace = Pace(self.total, done=self.done)
        self._lines = LineClock()
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
        self._pace.reach(self.done)
        rate = f"{self._here / max(time.monotonic() - self._started, 1e-9):.0f} {self.unit}/s"
        counted = f"{self.done:,}/{self.total:,} {self.unit}"
        if self._bar is not None:
            self._bar.show(self.done, rate, counted)
        elif not is_quiet() and self._lines.is_due():
            sys.stderr.write(f"{self.title}: {counted}  {rate}  about {self._pace.clock()} left\n")


@contextmanager
def image_counter(total: int, doing: str = "Decoding") -> Iterator[Callable[[int], None]]:
    """Show how many images are done, for work that reports its count so far.

    Args:
        total: Number of images.
        doing: What is done with them.

    Yields:
        A function that takes the number of images done so far.
    """
    with ImageProgress(doing, total=total) as progress:
        yield lambda done: progress.advance(done - progress.done)
