"""What a training run shows and records: a bar with the time left, and one row per epoch."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import lightning.pytorch as pl

from cass.logs import is_quiet
from cass.progress import Bar, open_bar

EPOCH_FIGURES = ("train/loss", "val/loss", "val/balanced_accuracy")


class RunProgress(pl.Callback):
    """Show a bar over the whole run (without a terminal one line per epoch) and keep one row per epoch.

    Args:
        title: What is being trained.
        images_per_epoch: Images in one epoch.
        on_epoch: Function of all rows so far, called after each epoch.
        describe: Function that returns further figures for the bar.
    """

    def __init__(
        self,
        title: str,
        *,
        images_per_epoch: int,
        on_epoch: Callable[[list[dict[str, Any]]], None] | None = None,
        describe: Callable[[], str] | None = None,
    ) -> None:
        self.title = title
        self.images_per_epoch = images_per_epoch
        self.on_epoch = on_epoch
        self.describe = describe or (lambda: "")
        self.rows: list[dict[str, Any]] = []
        self.seconds = 0.0
        self._bar: Bar | None = None
        self._steps_this_session = 0

    def on_train_start(self, trainer: pl.Trainer, _: pl.LightningModule) -> None:
        """Open the bar at the step where the run starts or continues."""
        self._started = time.monotonic()
        if trainer.is_global_zero:
            total = (trainer.max_epochs or 1) * int(trainer.num_training_batches)
            self._done = _steps_done(trainer)
            self._bar = open_bar(self.title, total=total, done=self._done)

    def on_train_epoch_start(self, trainer: pl.Trainer, _: pl.LightningModule) -> None:
        """Start the epoch's clock."""
        self._epoch_started = time.monotonic()

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Advance the bar."""
        self._steps_this_session += 1
        self._last_step = time.monotonic()
        if self._bar is not None:
            images = (batch_idx + 1) / trainer.num_training_batches * self.images_per_epoch
            rate = images / max(time.monotonic() - self._epoch_started, 1e-9)
            epoch = f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}"
            self._done += 1
            self._bar.show(self._done, f"{epoch}  {rate:.0f} images/s  {self.describe()}")

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
        if self.on_epoch is not None:
            self.on_epoch(self.rows)
        if self._bar is None and not is_quiet():
            self._print_line(trainer, row)

    def _print_line(self, trainer: pl.Trainer, row: dict[str, Any]) -> None:
        done = len(self.rows) and (time.monotonic() - self._started) / max(self._epochs_this_session(trainer), 1)
        left = done * ((trainer.max_epochs or 0) - row["epoch"])
        figures = "  ".join(f"{name} {row[name]:.4f}" for name in EPOCH_FIGURES if name in row)
        line = (
            f"{self.title}: epoch {row['epoch']}/{trainer.max_epochs}  {figures}  {self.describe()}  "
            f"{row['images_per_second']:.0f} images/s  at most {left:.0f} s left"
        )
        sys.stderr.write(line + "\n")

    def _epochs_this_session(self, trainer: pl.Trainer) -> float:
        return self._steps_this_session / max(float(trainer.num_training_batches), 1.0)

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
