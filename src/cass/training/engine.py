"""Lightning's trainer, set up one way for every run."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.loggers import TensorBoardLogger

from cass.config import ComputeSettings
from cass.training.hardware import accelerator, precision


class Interrupted(KeyboardInterrupt):
    """A run was stopped by the user; its last finished epoch is on disk."""


def fit(
    module: pl.LightningModule,
    *,
    settings: ComputeSettings,
    epochs: int,
    callbacks: Sequence[pl.Callback],
    logs: Path,
    val_loader: Any = None,
    resume_from: Path | None = None,
) -> None:
    """Train a module.

    Args:
        module: What is trained; it serves its own training batches, anew each epoch.
        settings: Device and precision.
        epochs: Most passes over the data.
        callbacks: Lightning callbacks, checkpoints among them.
        logs: Folder of the TensorBoard logs.
        val_loader: Validation batches, or None.
        resume_from: Checkpoint of Lightning to continue from, or None. It is read with weights only.

    Raises:
        Interrupted: Where the user stopped the run.
    """
    for name in ("lightning.pytorch", "lightning.fabric", "lightning"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        # Lightning's advice on worker counts and logging intervals is not the user's to act on.
        warnings.filterwarnings("ignore", module=r"lightning.*")
        warnings.filterwarnings("ignore", message=r".*lr_scheduler.step.*")
        trainer = pl.Trainer(
            accelerator=accelerator(settings.device),
            devices=1,
            precision=precision(settings),
            max_epochs=epochs,
            callbacks=list(callbacks),
            logger=TensorBoardLogger(logs.parent, name=logs.name, version=""),
            log_every_n_steps=10,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            reload_dataloaders_every_n_epochs=1,
            inference_mode=False,
        )
        try:
            trainer.fit(
                module,
                val_dataloaders=val_loader,
                ckpt_path=None if resume_from is None else str(resume_from),
                weights_only=True,
            )
        except (KeyboardInterrupt, SystemExit) as error:
            # Lightning answers Ctrl-C by leaving the process; the user should be told how to go on instead.
            raise Interrupted from error
        if trainer.interrupted:
            raise Interrupted
