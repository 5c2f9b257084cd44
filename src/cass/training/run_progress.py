"""What a training run shows and records: a bar with the time left, and one row per epoch."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import lightning.pytorch as pl

from cass.logs import is_quiet
from cass.progress import Bar, LineClock, Pace, open_bar

EPOCH_FIGURES = ("train/loss", "val/loss", "val/balanced_accuracy")


class RunProgress(pl.Callback):
    """Show the progress of a run and keep one row per epoch.

    On a terminal there is a bar over the whole run. Elsewhere there is a line after each epoch, and in long epochs
    lines in between, the first after :data:`cass.progress.LINE_SECONDS`.

    Args:
        title: What is being trained.
        images_per_epoch: Images in one epoch.
        on_epoch: Function of all rows so far, called after each epoch.
        describe: Function that returns further figures, the most important first.
    """

    def __init__(
        self,
        title: str,
        *,
        images_per_epoch: int,
        on_epoch: Callable[[list[dict[str, Any]]], None] | None = None,
        describe: Callable[[], Sequence[str]] | None = None,
    ) -> None:
        self.title = title
        self.images_per_epoch = images_per_epoch
        self.on_epoch = on_epoch
        self.describe = describe or tuple
        self.rows: list[dict[str, Any]] = []
        self.seconds = 0.0
        self._bar: Bar | None = None

    def on_train_start(self, trainer: pl.Trainer, _: pl.LightningModule) -> None:
        """Open the bar at the step where the run starts or continues."""
        if trainer.is_global_zero:
            self._total = (trainer.max_epochs or 1) * int(trainer.num_training_batches)
            self._done = _steps_done(trainer)
            self._pace = Pace(self._total, done=self._done)
            self._lines = LineClock()
            self._bar = open_bar(self.title, total=self._total, done=self._done)

    def on_train_epoch_start(self, trainer: pl.Trainer, _: pl.LightningModule) -> None:
        """Start the epoch's clock."""
        self._epoch_started = time.monotonic()

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Show the step."""
        self._last_step = time.monotonic()
        if not trainer.is_global_zero:
            return
        self._done += 1
        self._pace.reach(self._done)
        images = (batch_idx + 1) / trainer.num_training_batches * self.images_per_epoch
        rate = f"{images / max(self._last_step - self._epoch_started, 1e-9):.0f} images/s"
        epoch = f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}"
        if self._bar is not None:
            self._bar.show(self._done, epoch, rate, *self.describe())
        elif batch_idx + 1 < trainer.num_training_batches and not is_quiet() and self._lines.is_due():
            self._print_line(trainer, epoch, f"{100 * self._done / self._total:.0f}% done", rate)

    def on_train_epoch_end(self, trainer: pl.Trainer, _: pl.LightningModule) -> None:
        """Keep the epoch's row; show it where there is no bar."""
        seconds = self._last_step - self._epoch_started  # validation, which follows, is not training
        self.seconds += seconds
        metrics = trainer.callback_metrics
        row: dict[str, Any] = {"epoch": trainer.current_epoch + 1, "seconds": round(seconds, 3)}
        row |= {
            name: float(value)
            for name, value in metrics.items()
            if name in EPOCH_FIGURES or not name.startswith(("train/", "val/"))
        }
        row["images_per_second"] = round(self.images_per_epoch / max(seconds, 1e-9), 2)
        row["lr"] = float(trainer.optimizers[0].param_groups[0]["lr"])
        self.rows.append(row)
        if not trainer.is_global_zero:
            return
        self._pace.reach(self._done)  # what is measured between epochs takes time, too
        if self.on_epoch is not None:
            self.on_epoch(self.rows)
        if self._bar is None and not is_quiet():
            figures = [f"{name} {row[name]:.4f}" for name in EPOCH_FIGURES if name in row]
            rate = f"{row['images_per_second']:.0f} images/s"
            self._print_line(
                trainer, f"epoch {row['epoch']}/{trainer.max_epochs}", *figures, "; ".join(self.describe()), rate
            )
            self._lines.restart()

    def _print_line(self, trainer: pl.Trainer, *figures: str) -> None:
        """Write a line with figures and the time left; early stopping may make it shorter."""
        sure = "about" if trainer.early_stopping_callback is None else "at most"
        shown = "  ".join(figure for figure in figures if figure)
        sys.stderr.write(f"{self.title}: {shown}  {sure} {self._pace.clock()} left\n")

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def on_train_end(self, trainer: pl.Trainer, _: pl.LightningModule) -> None:
        """Close the bar."""
        self._close()

    def on_exception(self, trainer: pl.Trainer, module: pl.LightningModule, exception: BaseException) -> None:
        """Close the bar, whatever stopped the run."""
        self._close()

    def state_dict(self) -> dict[str, Any]:
        """Return the rows, for checkpoints."""
        return {"rows": self.rows, "seconds": self.seconds}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the rows of the run that continues."""
        self.rows = list(state_dict["rows"])
        self.seconds = float(state_dict["seconds"])


def _steps_done(trainer: pl.Trainer) -> int:
    """Count the batches of the epochs that a resumed run has finished."""
    return int(trainer.current_epoch) * int(trainer.num_training_batches)
