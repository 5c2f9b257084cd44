"""The fit of fine-tuning: from the probe on, until the validation loss no longer falls."""

from __future__ import annotations

import copy
import shutil
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint

from cass.config.finetune import TuneSettings
from cass.training.engine import fit
from cass.training.finetune_module import FinetuneModule
from cass.training.run_progress import RunProgress
from cass.types import BranchName


def train_from_probe(
    config: TuneSettings, module: FinetuneModule, name: BranchName, *, probe_loss: float, folder: Path
) -> list[dict[str, Any]]:
    """Train from the probe on, or, where pretraining was randomly initialised, from a small random head.

    Args:
        config: Settings of fine-tuning.
        module: What is trained; it holds the best of the probe and all epochs afterwards.
        name: Name of the branch.
        probe_loss: Validation loss of the probe.
        folder: Folder for the TensorBoard logs; the best epoch lies there while training goes on.

    Returns:
        One row for each epoch.

    Raises:
        Interrupted: The user stopped the run.
        CassError: Memory runs out.
    """
    branch = module.branch
    before = copy.deepcopy(branch.state_dict())
    work = folder / f".{name}"
    best = ModelCheckpoint(dirpath=work, filename="best", monitor="val/loss", save_weights_only=True)
    stopping = EarlyStopping("val/loss", patience=config.patience)
    if module.fresh:
        module.reset_head()
    else:
        stopping.best_score = torch.tensor(probe_loss)  # the probe is the epoch to beat
    labels = len(module.images)
    progress = RunProgress(f"Fine-tuning {name}, {labels} labels", images_per_epoch=labels * module.passes)
    fit(
        module,
        settings=config,
        epochs=config.epochs,
        callbacks=[stopping, progress, best],
        logs=folder / f"tensorboard-{name}",
    )
    if min(row["val/loss"] for row in progress.rows) < probe_loss:
        saved = torch.load(best.best_model_path, map_location="cpu", weights_only=True)["state_dict"]
        module.load_state_dict(saved)
    else:
        branch.load_state_dict(before)
    shutil.rmtree(work)
    return progress.rows
