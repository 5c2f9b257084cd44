"""Fine-tuning of one branch: probe, training from the probe, and what is chosen on validation images."""

from __future__ import annotations

import copy
import logging
import math
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from numpy.typing import NDArray

from cass.config.finetune import FinetuneConfig
from cass.data.store.dataset import StoredImages
from cass.evaluation.calibration import Temperature, fit_temperature, fit_thresholds
from cass.evaluation.probabilities import probabilities
from cass.hardware import torch_device
from cass.models.backbones import Branch
from cass.models.checkpoints import save_branch
from cass.runs.folder import CHECKPOINTS, METRICS, write_metrics
from cass.runs.inputs import Inputs
from cass.training.engine import fit
from cass.training.finetune import FinetuneModule, choose_balance
from cass.training.probing import embed_stored, fold_temperature, probe_head
from cass.training.run_progress import RunProgress
from cass.transforms.recipes import RECIPES
from cass.transforms.views import build_views
from cass.types import BranchName

log = logging.getLogger("cass")

PROBE = 0
"""Number of the epoch before the first step: the probe itself."""


@dataclass(frozen=True)
class TunedBranch:
    """A branch that was fine-tuned and saved.

    Attributes:
        summary: Its part of the run's summary.
        validation: Probabilities (M, K) of the validation images.
    """

    summary: dict[str, Any]
    validation: NDArray[np.float32]


def finetune_branch(
    config: FinetuneConfig,
    branch: Branch,
    name: BranchName,
    *,
    inputs: Inputs,
    train: NDArray[np.int64],
    folder: Path,
    fresh: bool,
) -> TunedBranch:
    """Fine-tune one branch and save its best epoch.

    Args:
        config: The configuration.
        branch: The branch as pretraining left it.
        name: Its name.
        inputs: The decoded images.
        train: Rows of the labelled training images.
        folder: Folder to write to.
        fresh: Whether its backbone held random numbers before any pretraining.

    Returns:
        What was saved.
    """
    from cass.reports.plots import plot_fine_tuning

    manifest, task = inputs.manifest, inputs.manifest.task
    held = inputs.rows("val", labelled=True)
    device = torch_device(config)
    images = StoredImages(inputs.images, train, targets=manifest.targets)
    validation = StoredImages(inputs.images, held, targets=manifest.targets)
    targets, held_targets = manifest.targets[train], manifest.targets[held]
    balance = choose_balance(config, targets, task=task)
    if balance.kind != config.balance:
        log.info("Labels that occur together cannot be drawn equally often: classes are weighted instead.")

    started = time.monotonic()
    embeddings, held_embeddings = (embed_stored(branch, part, device=device) for part in (images, validation))
    branch.head, probe = probe_head(
        embeddings, targets, held_embeddings, held_targets, task=task, weights=balance.weights
    )
    module = FinetuneModule(
        branch,
        settings=config,
        task=task,
        balance=balance,
        images=images,
        validation=validation,
        make_views=build_views(RECIPES[config.views]),
        fresh=fresh,
    )
    held_logits = _logits(branch.head, held_embeddings)
    measured = module.measure(held_logits, torch.from_numpy(held_targets))
    seconds = time.monotonic() - started
    rows = [
        {
            "epoch": PROBE,
            "seconds": round(seconds, 3),
            "train/loss": float(module.loss(_logits(branch.head, embeddings), torch.from_numpy(targets))),
            "val/loss": measured["loss"],
            "val/balanced_accuracy": measured["balanced_accuracy"],
        }
    ]
    log.info(
        "%s: linear probe on %d labels, penalty %.2g: validation loss %.4f, balanced accuracy %.3f (%.1f s).",
        name,
        len(train),
        probe.penalty,
        measured["loss"],
        measured["balanced_accuracy"],
        seconds,
    )
    if config.head == "full":
        rows += _train(config, module, name, probe_loss=measured["loss"], folder=folder)
    chosen = min(rows, key=lambda row: row["val/loss"])  # of equal ones the earliest
    if chosen["epoch"] != PROBE:
        held_logits = _logits(branch.head, embed_stored(branch, validation, device=device))
    temperature = fit_temperature(held_logits.numpy(), held_targets, task=task)
    fold_temperature(branch.head, temperature.value)
    held_probabilities = probabilities(held_logits / temperature.value, task=task).numpy()
    save_branch(branch.to("cpu"), folder / CHECKPOINTS / f"{name}.safetensors")
    write_metrics(folder / f"{name}-{METRICS}", rows)
    plot_fine_tuning(_frame(rows), folder / "plots" / f"{name}.png")
    _announce(name, chosen, temperature, epochs=len(rows) - 1)
    summary = {
        "probe": {
            "penalty": probe.penalty,
            "log_loss_by_penalty": {f"{key:.3g}": value for key, value in probe.losses.items()},
            "val_loss": measured["loss"],
            "val_balanced_accuracy": measured["balanced_accuracy"],
        },
        "best_epoch": chosen["epoch"],
        "epochs": len(rows) - 1,
        "passes_per_epoch": module.passes,
        "seconds": round(sum(row["seconds"] for row in rows), 3),
        "val_loss": chosen["val/loss"],
        "val_balanced_accuracy": chosen["val/balanced_accuracy"],
        "balance": balance.kind,
        "class_weights": None if balance.weights is None else [round(float(w), 6) for w in balance.weights],
        "temperature": temperature.value,
        "temperature_note": temperature.note,
        "val_ece_before": _number(temperature.ece_before),
        "val_ece_after": _number(temperature.ece_after),
        "thresholds": thresholds(held_probabilities, inputs),
    }
    return TunedBranch(summary, held_probabilities)


def thresholds(held_probabilities: NDArray[np.float32], inputs: Inputs) -> list[float] | None:
    """Choose a threshold for each label on the validation images.

    Args:
        held_probabilities: (M, K) of the validation images.
        inputs: The decoded images.

    Returns:
        K numbers in [0, 1]; None for multi-class sets, which predict the likeliest class.
    """
    if inputs.manifest.task == "multiclass":
        return None
    held_targets = inputs.manifest.targets[inputs.rows("val", labelled=True)]
    found: list[float] = fit_thresholds(held_probabilities, held_targets).tolist()
    return found


def _train(
    config: FinetuneConfig, module: FinetuneModule, name: BranchName, *, probe_loss: float, folder: Path
) -> list[dict[str, Any]]:
    """Train from the probe on, or, where pretraining began from random numbers, from a small random head.

    The module holds the best of the probe and all epochs afterwards.
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
    progress = RunProgress(
        f"Fine-tuning the {name} branch on {labels} labels", images_per_epoch=labels * module.passes
    )
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


def _logits(head: torch.nn.Module, embeddings: NDArray[np.float32]) -> torch.Tensor:
    """Apply a head to embeddings (N, D), on the CPU."""
    device = next(head.parameters()).device
    with torch.no_grad():
        logits: torch.Tensor = head(torch.from_numpy(embeddings).to(device)).float().cpu()
    return logits


def _announce(name: str, chosen: dict[str, Any], temperature: Temperature, *, epochs: int) -> None:
    """Log which epoch was saved, and how it was calibrated."""
    kept = f"best epoch {chosen['epoch']} of {epochs}"
    if chosen["epoch"] == PROBE:
        kept = "the probe is saved" + (f": none of {epochs} epochs had a lower validation loss" if epochs else "")
    if temperature.note:
        scaled = f"no temperature ({temperature.note})"
    else:
        errors = f"{temperature.ece_before:.3f} -> {temperature.ece_after:.3f}"
        scaled = f"temperature {temperature.value:.2f} (validation calibration error {errors})"
    accuracy = chosen["val/balanced_accuracy"]
    log.info("%s: %s, validation balanced accuracy %.3f; %s.", name, kept, accuracy, scaled)


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def _frame(rows: list[dict[str, Any]]) -> Any:
    import pandas as pd

    return pd.DataFrame(rows)
