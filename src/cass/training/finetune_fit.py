"""The fit of fine-tuning: from the probe on, until the validation loss no longer falls."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint

from cass.config.finetune import TuneSettings
from cass.files import write_json
from cass.training.engine import fit
from cass.training.finetune_module import FinetuneModule
from cass.training.gradients import GradientWatch
from cass.training.run_progress import RunProgress
from cass.types import BranchName

BEST, LATEST, LOGS = "best", "latest", "tensorboard"
"""What lies in the working folder of a branch: two checkpoints, and the TensorBoard logs."""


def train_from_probe(
    config: TuneSettings, module: FinetuneModule, name: BranchName, *, probe_loss: float, work: Path
) -> list[dict[str, Any]]:
    """Train from the probe on, or, where pretraining was randomly initialised, from a small random head.

    Args:
        config: Settings of fine-tuning.
        module: What is trained; it holds the best of the probe and all epochs afterwards.
        name: Name of the branch.
        probe_loss: Validation loss of the probe.
        work: Working folder. Training continues after the last epoch that it holds, or is taken from it.

    Returns:
        One row for each epoch.

    Raises:
        Interrupted: The user stopped the run.
        CassError: Memory runs out.
    """
    before = copy.deepcopy(module.branch.state_dict())
    finished = work / "epochs.json"
    if not finished.is_file():
        write_json(finished, _train(config, module, name, probe_loss=probe_loss, work=work))
    rows: list[dict[str, Any]] = json.loads(finished.read_text(encoding="utf-8"))
    if min(row["val/loss"] for row in rows) < probe_loss:
        saved = torch.load(work / f"{BEST}.ckpt", map_location="cpu", weights_only=True)["state_dict"]
        module.load_state_dict(saved)
    else:
        module.branch.load_state_dict(before)
    return rows


def _train(
    config: TuneSettings, module: FinetuneModule, name: BranchName, *, probe_loss: float, work: Path
) -> list[dict[str, Any]]:
    """Train to the last epoch; the best one and the last one lie in the working folder."""
    best = ModelCheckpoint(
        dirpath=work, filename=BEST, monitor="val/loss", save_weights_only=True, enable_version_counter=False
    )
    last = ModelCheckpoint(
        dirpath=work,
        filename=LATEST,
        every_n_epochs=1,
        save_on_train_epoch_end=True,
        enable_version_counter=False,
    )
    stopping = EarlyStopping("val/loss", patience=config.patience)
    if module.fresh:
        module.reset_head()
    else:
        stopping.best_score = torch.tensor(probe_loss)  # the probe is the epoch to beat
    labels = len(module.images)
    progress = RunProgress(f"Fine-tuning {name}, {labels} labels", images_per_epoch=labels * module.passes)
    earlier = work / f"{LATEST}.ckpt"
    fit(
        module,
        settings=config,
        epochs=config.epochs,
        callbacks=[stopping, GradientWatch(), progress, best, last],
        logs=work / LOGS,
        resume_from=earlier if earlier.is_file() else None,
    )
    return progress.rows
