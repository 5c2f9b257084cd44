"""Lightning's trainer, set up one way for every run."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError

import lightning.pytorch as pl
import torch
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.strategies import DDPStrategy

from cass.config.shared import TrainSettings
from cass.errors import CassError
from cass.hardware import accelerator, is_bf16_on_cpu, keep_freed_memory, precision
from cass.training.compiling import CompileTrial
from cass.training.cpu_kernels import fast_cpu_kernels

FLUSH_SECONDS = 2
"""Ctrl-C within a write leaves TensorBoard's thread asleep until its next flush, and the process waits for it."""

_LAUNCHER = "lightning.fabric.strategies.launchers.subprocess_script"
_GO_ON = "Fix the cause (often memory), then continue from the last finished epoch with --resume."


class Interrupted(KeyboardInterrupt):
    """A run was stopped by the user; its last finished epoch is on disk."""


def fit(
    module: pl.LightningModule,
    *,
    settings: TrainSettings,
    epochs: int,
    callbacks: Sequence[pl.Callback],
    logs: Path,
    devices: int = 1,
    nodes: int = 1,
    resume_from: Path | None = None,
) -> None:
    """Train a module.

    Args:
        module: What is trained; it serves its own batches.
        settings: Device, precision and the like.
        epochs: Most passes over the data.
        callbacks: Lightning callbacks, checkpoints among them.
        logs: Folder of the TensorBoard logs.
        devices: Processes on each machine.
        nodes: Machines.
        resume_from: Checkpoint of Lightning to continue from, or None. It is read with weights only.

    Raises:
        Interrupted: Where the user stopped the run.
        CassError: Where memory runs out, or another process of the run ended.
    """
    gpu = accelerator(settings.device) == "cuda"
    several = devices * nodes > 1
    keep_freed_memory()
    with _quiet(), _plain_errors(several=several), fast_cpu_kernels(module, on=is_bf16_on_cpu(settings)):
        trainer = pl.Trainer(
            accelerator=accelerator(settings.device),
            devices=devices,
            num_nodes=nodes,
            strategy=DDPStrategy(gradient_as_bucket_view=True) if several else "auto",
            sync_batchnorm=several and gpu,
            use_distributed_sampler=False,
            precision=precision(settings),
            accumulate_grad_batches=settings.accumulate,
            benchmark=gpu,
            max_epochs=epochs,
            callbacks=[*callbacks, CompileTrial(settings.compile)],
            logger=TensorBoardLogger(logs.parent, name=logs.name, version="", flush_secs=FLUSH_SECONDS),
            log_every_n_steps=10,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            inference_mode=False,
        )
        _fit_or_stop(trainer, module, resume_from)


def _fit_or_stop(trainer: pl.Trainer, module: pl.LightningModule, resume_from: Path | None) -> None:
    """Train; a checkpoint is read with weights only."""
    try:
        trainer.fit(module, ckpt_path=None if resume_from is None else str(resume_from), weights_only=True)
    except (KeyboardInterrupt, SystemExit) as error:
        # Lightning answers Ctrl-C by ending the process; the user should be told how to continue instead.
        raise Interrupted from error
    except (UnpicklingError, UnicodeDecodeError, EOFError):
        if resume_from is None or trainer.global_step > 0:
            raise
        raise CassError(
            f"{resume_from} is damaged, or holds more than numbers", "Remove it: the run then starts again."
        ) from None
    if trainer.interrupted:
        raise Interrupted


@contextmanager
def _quiet() -> Iterator[None]:
    """Hide Lightning's messages to developers, and report in one line that a process has ended."""
    for name in ("lightning.pytorch", "lightning.fabric", "lightning"):
        logging.getLogger(name).setLevel(logging.ERROR)
    launcher = logging.getLogger(_LAUNCHER)
    launcher.setLevel(logging.INFO)
    launcher.propagate = False
    launcher.handlers = [_ChildEnded()]
    with warnings.catch_warnings():
        # Lightning's advice on worker counts and logging intervals is not the user's to act on.
        warnings.filterwarnings("ignore", module=r"lightning.*")
        warnings.filterwarnings("ignore", message=r".*lr_scheduler.step.*")
        yield


class _ChildEnded(logging.Handler):
    """Lightning ends the whole job if one of its processes ended, and says so in this log only."""

    def emit(self, record: logging.LogRecord) -> None:
        if "terminated with code" in record.getMessage():
            logging.getLogger("cass").error("Error: A training process ended unexpectedly. %s", _GO_ON)


@contextmanager
def _plain_errors(*, several: bool) -> Iterator[None]:
    """Turn torch's errors about memory and lost processes into one line."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise CassError(
            "The GPU is out of memory",
            "Halve --batch-size, or double --accumulate, which computes the same step in smaller parts; "
            "--gradient-checkpointing saves more.",
        ) from None
    except ValueError as error:
        if "parameter group" not in str(error):
            raise
        raise CassError(
            "The checkpoint is of an earlier version of cass, which grouped parameters in another way",
            "Start again with a new --out.",
        ) from None
    except RuntimeError as error:
        text = str(error).lower()
        if several and any(word in text for word in ("gloo", "nccl", "connection", "peer", "tcpstore")):
            raise CassError("Another process of this run ended unexpectedly", _GO_ON) from None
        if "dataloader worker" in text:
            raise CassError("A process that loads images ended unexpectedly", _GO_ON) from None
        raise
