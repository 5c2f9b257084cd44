from __future__ import annotations

import re
from typing import Any

import pytest

from cass import progress
from cass.training import run_progress
from cass.training.run_progress import RunProgress


class Time:
    now = 0.0

    def monotonic(self) -> float:
        return self.now


class Optimizer:
    param_groups = ({"lr": 0.1},)


class Trainer:
    """What the progress looks at: 3 epochs of 40 steps."""

    is_global_zero = True
    max_epochs, num_training_batches, current_epoch = 3, 40, 0
    optimizers = (Optimizer(),)
    early_stopping_callback: Any = None

    def __init__(self) -> None:
        self.callback_metrics = {"train/loss": 0.5}


def run(trainer: Trainer, watched: RunProgress, clock: Time, *, seconds_per_step: float) -> None:
    fake: Any = trainer
    module: Any = None
    watched.on_train_start(fake, module)
    for epoch in range(3):
        trainer.current_epoch = epoch
        watched.on_train_epoch_start(fake, module)
        for step in range(40):
            clock.now += seconds_per_step
            watched.on_train_batch_end(fake, module, None, None, step)
        watched.on_train_epoch_end(fake, module)
    watched.on_train_end(fake, module)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Time:
    clock = Time()
    monkeypatch.setattr(progress, "time", clock)
    monkeypatch.setattr(run_progress, "time", clock)
    return clock


def test_without_a_terminal_the_time_left_is_said_before_the_first_epoch_ends(
    clock: Time, capsys: pytest.CaptureFixture[str]
) -> None:
    watched = RunProgress(
        "Pretraining", images_per_epoch=80, describe=lambda: ["cnn: rank 4", "transformer: rank 3"]
    )
    run(Trainer(), watched, clock, seconds_per_step=5.0)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "Pretraining: epoch 1/3  2% done  0 images/s  about 0:09:50 left"
    assert lines[1].startswith("Pretraining: epoch 1/3  5% done")
    epochs = [line for line in lines if "train/loss" in line]
    assert epochs[0].startswith(
        "Pretraining: epoch 1/3  train/loss 0.5000  cnn: rank 4; transformer: rank 3  0 images"
    )
    assert epochs[0].endswith("  about 0:06:40 left")
    assert len(epochs) == 3
    assert len(lines) < 12


def test_short_epochs_have_one_line_each(clock: Time, capsys: pytest.CaptureFixture[str]) -> None:
    trainer = Trainer()
    trainer.early_stopping_callback = object()
    run(trainer, RunProgress("Fine-tuning cnn, 80 labels", images_per_epoch=80), clock, seconds_per_step=0.1)
    lines = capsys.readouterr().err.splitlines()
    assert [line[:39] for line in lines] == [f"Fine-tuning cnn, 80 labels: epoch {n}/3  " for n in (1, 2, 3)]
    assert re.search("at most 0:00:08 left$", lines[0])
