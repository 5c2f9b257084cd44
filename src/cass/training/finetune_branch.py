"""Fine-tuning of one branch: training from its linear probe, and what is chosen on validation images."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cass.config.finetune import TuneSettings
from cass.evaluation.calibration import Temperature, fit_temperature, fit_thresholds, summary_of
from cass.evaluation.probabilities import probabilities
from cass.hardware import torch_device
from cass.models.backbones import Branch
from cass.training.balance import Balance
from cass.training.finetune_fit import train_from_probe
from cass.training.finetune_module import FinetuneModule
from cass.training.labelled import LabelledImages, PseudoLabels
from cass.training.probing import ProbedBranch, fold_temperature, head_of
from cass.training.stored_embeddings import embed_finite
from cass.transforms.recipes import RECIPES, tuning_views
from cass.transforms.views import build_views
from cass.types import BranchName, Task

log = logging.getLogger("cass")

PROBE = 0
"""Number of the epoch before the first step: the probe itself."""


@dataclass(frozen=True)
class TunedBranch:
    """A branch that was fine-tuned.

    Attributes:
        branch: The best epoch, calibrated, on the CPU.
        rows: One row for the probe and for each epoch.
        summary: Its part of the run's summary.
        held: Probabilities (H, K) of labelled images that the fit had not seen.
        held_labels: (H, K) of 0 and 1.
        held_codes: (H,) their group codes.
    """

    branch: Branch
    rows: list[dict[str, Any]]
    summary: dict[str, Any]
    held: NDArray[np.float32]
    held_labels: NDArray[np.uint8]
    held_codes: NDArray[np.int64]


@dataclass(frozen=True)
class _Start:
    """What training starts from.

    Attributes:
        module: The branch, with its linear probe as head.
        row: The probe's row of the metrics.
        logits: (H, K) of labelled images that the probe was not fitted to.
        labels: (H, K) of 0 and 1.
    """

    module: FinetuneModule
    row: dict[str, Any]
    logits: torch.Tensor
    labels: NDArray[np.uint8]


def tune_branch(
    config: TuneSettings,
    probed: ProbedBranch,
    name: BranchName,
    *,
    data: LabelledImages,
    balance: Balance,
    pseudo: PseudoLabels | None,
    fresh: bool,
    work: Path,
) -> TunedBranch:
    """Fine-tune one branch and keep its best epoch.

    Args:
        config: Settings of fine-tuning.
        probed: The branch with its linear probe; it is changed.
        name: Its name.
        data: The labelled images.
        balance: How classes of unequal size are treated.
        pseudo: Images with pseudo-labels that training takes as well, or None.
        fresh: Whether its backbone was randomly initialised before any pretraining.
        work: Working folder of the branch, which a stopped run continues from.

    Returns:
        The branch and how it came about.

    Raises:
        Interrupted: The user stopped the run.
        CassError: Memory runs out.
    """
    branch = probed.branch
    start = _start(config, probed, name, data=data, balance=balance, pseudo=pseudo, fresh=fresh)
    rows, logits = [start.row], start.logits
    if config.head == "full":
        rows += train_from_probe(config, start.module, name, probe_loss=start.row["val/loss"], work=work)
    chosen = min(rows, key=lambda row: row["val/loss"])  # of equal ones the earliest
    if chosen["epoch"] != PROBE:
        logits = _logits(branch.head, embed_finite(branch, data.validation, device=torch_device(config)))
    temperature = fit_temperature(logits.numpy(), start.labels, task=data.task)
    head: Any = branch.head
    fold_temperature(head, temperature.value)
    held = probabilities(logits / temperature.value, task=data.task).numpy()
    _announce(name, chosen, temperature, epochs=len(rows) - 1, held="held-out" if probed.pooled else "validation")
    summary = _probe_summary(probed, start, data) | {
        "best_epoch": chosen["epoch"],
        "epochs": len(rows) - 1,
        "passes_per_epoch": start.module.passes,
        "seconds": round(sum(row["seconds"] for row in rows), 3),
        "val_loss": chosen["val/loss"],
        "val_balanced_accuracy": chosen["val/balanced_accuracy"],
        **_balance_summary(balance),
        **summary_of(temperature),
        "thresholds": choose_thresholds(held, start.labels, task=data.task),
    }
    codes = data.codes[probed.probe.held_rows]
    return TunedBranch(branch.to("cpu"), rows, summary, held, start.labels, codes)


def choose_thresholds(held: NDArray[np.float32], labels: NDArray[np.uint8], *, task: Task) -> list[float] | None:
    """Choose a threshold for each label on images that the fit had not seen.

    Args:
        held: Probabilities (H, K) of these images.
        labels: (H, K) of 0 and 1.
        task: Multi-class or multi-label.

    Returns:
        K numbers in [0, 1]; None for multi-class sets, which predict the likeliest class.
    """
    if task == "multiclass":
        return None
    found: list[float] = fit_thresholds(held, labels).tolist()
    return found


def _start(
    config: TuneSettings,
    probed: ProbedBranch,
    name: BranchName,
    *,
    data: LabelledImages,
    balance: Balance,
    pseudo: PseudoLabels | None,
    fresh: bool,
) -> _Start:
    """Make the probe the branch's head, and measure it as training measures each epoch."""
    branch, probe = probed.branch, probed.probe
    branch.head = head_of(probe)
    module = FinetuneModule(
        branch,
        settings=config,
        task=data.task,
        balance=balance,
        images=data.train,
        validation=data.validation,
        make_views=build_views(RECIPES[config.views or tuning_views(None)]),
        pseudo=pseudo,
        fresh=fresh,
    )
    logits, labels = torch.from_numpy(probe.held).float(), data.train.labels
    held_labels = data.labels[probe.held_rows]
    measured = module.measure(logits, torch.from_numpy(held_labels))
    with torch.no_grad():
        loss = module.loss(_logits(branch.head, probed.labelled[: len(labels)]), torch.from_numpy(labels))
    row = {
        "epoch": PROBE,
        "seconds": round(probed.seconds, 3),
        "train/loss": float(loss),
        "val/loss": measured["loss"],
        "val/balanced_accuracy": measured["balanced_accuracy"],
    }
    log.info(
        "%s: linear probe on %d labels (%s, penalty %.2g): %s loss %.4f, balanced accuracy %.3f (%.1f s).",
        *(name, len(data.labels) if probed.pooled else len(labels), probe.scaling.name, probe.penalty),
        *("cross-validated" if probed.pooled else "validation", measured["loss"], measured["balanced_accuracy"]),
        probed.seconds,
    )
    return _Start(module, row, logits, held_labels)


def _logits(head: Any, embeddings: NDArray[np.float32]) -> torch.Tensor:
    """Apply a head to embeddings (N, D); returns logits (N, K) on the CPU."""
    device = next(head.parameters()).device
    with torch.no_grad():
        logits: torch.Tensor = head(torch.from_numpy(embeddings).to(device)).float().cpu()
    return logits


def _probe_summary(probed: ProbedBranch, start: _Start, data: LabelledImages) -> dict[str, Any]:
    """Sum up the probe for the run's summary."""
    probe = probed.probe
    return {
        "probe": {
            "scaling": probe.scaling.name,
            "penalty": probe.penalty,
            "chosen_on": "folds of the labelled images" if data.few_validation else "validation images",
            "fitted_to": "training and validation images" if probed.pooled else "training images",
            "log_loss_by_penalty": {f"{key:.3g}": value for key, value in probe.losses.items()},
            "val_loss": start.row["val/loss"],
            "val_balanced_accuracy": start.row["val/balanced_accuracy"],
        }
    }


def _balance_summary(balance: Balance) -> dict[str, Any]:
    """Sum up how classes of unequal size were treated, for the run's summary."""
    weights = None if balance.weights is None else [round(float(weight), 6) for weight in balance.weights]
    return {"balance": balance.kind, "class_weights": weights}


def _announce(name: str, chosen: dict[str, Any], temperature: Temperature, *, epochs: int, held: str) -> None:
    """Log which epoch is kept, and how it was calibrated."""
    kept = f"best epoch {chosen['epoch']} of {epochs}"
    if chosen["epoch"] == PROBE:
        kept = "full fine-tuning did not improve on the linear probe; keeping the probe" if epochs else "the probe"
    if temperature.note:
        scaled = f"no temperature ({temperature.note})"
    else:
        errors = f"{temperature.ece_before:.3f} -> {temperature.ece_after:.3f}"
        scaled = f"temperature {temperature.value:.2f} ({held} calibration error {errors})"
    accuracy = chosen["val/balanced_accuracy"]
    log.info("%s: %s, %s balanced accuracy %.3f; %s.", name, kept, held, accuracy, scaled)
