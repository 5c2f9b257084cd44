"""The gradient watch: stops at gradients that are not finite, and tells when they explode."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor
from torch.nn.utils import get_total_norm

from cass.errors import NotFiniteError
from cass.types import Caution

FIRST_STEPS = 10
"""Steps that show the usual size of the gradients."""
EXPLODED = 100.0
"""How many times its usual size a gradient has when it has exploded."""
GROWTH = "gradient_growth"
"""Column of the metrics: the largest gradient of an epoch, as a multiple of the largest of the first steps."""
CHECK_EVERY = 50  # reading a number from a GPU makes the processor wait for it

log = logging.getLogger("cass")


def is_read(value: Tensor, step: int) -> bool:
    """Return whether a number is looked at in this step: always on the CPU, in every 50th step on a GPU."""
    return value.device.type == "cpu" or step % CHECK_EVERY == 0


def growth_message(growth: float) -> str:
    """Return the sentence for gradients that have exploded."""
    return (
        f"The gradients grew to {growth:.0f} times their size in the first {FIRST_STEPS} steps; "
        "training may have diverged. Lower --lr."
    )


def gradient_cautions(rows: Sequence[dict[str, Any]], *, prefix: str = "") -> list[Caution]:
    """Say for the summary of a run that gradients exploded.

    Args:
        rows: The rows of its epochs.
        prefix: What the sentence begins with.

    Returns:
        One caution, or none.
    """
    growth = max((float(row.get(GROWTH, 0.0)) for row in rows), default=0.0)
    if growth <= EXPLODED:
        return []
    return [{"code": "exploding-gradients", "message": prefix + growth_message(growth)}]


class GradientWatch(pl.Callback):
    """Measure the norm of the gradients in every optimiser step.

    A run stops before gradients that are NaN or infinite reach the weights. Where the norm exceeds
    :data:`EXPLODED` times the largest of the first :data:`FIRST_STEPS` steps, a warning is logged once, and the
    epoch's row says by how much (:data:`GROWTH`). On a GPU numbers are read in every 50th step, and after each
    epoch.
    """

    def __init__(self) -> None:
        self._steps = 0
        self._usual = torch.zeros(())
        self._largest = torch.zeros(())  # of this epoch; NaN stays NaN
        self._warned = False

    def on_before_optimizer_step(self, trainer: pl.Trainer, module: pl.LightningModule, optimizer: Any) -> None:
        """Measure this step's gradients, which are the mean over all processes."""
        norm = get_total_norm([each.grad for each in module.parameters() if each.grad is not None])
        if self._steps < FIRST_STEPS:
            self._usual = torch.maximum(self._usual.to(norm.device), norm)
        self._steps += 1
        self._largest = torch.maximum(self._largest.to(norm.device), norm)
        if is_read(norm, trainer.global_step):
            self._check(trainer.global_step)

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Check the rest of the epoch before it is saved, and put its largest gradient into its row."""
        module.log(GROWTH, self._check(trainer.global_step))
        self._largest = torch.zeros(())

    def _check(self, step: int) -> float:
        """Return by how much the gradients of this epoch have grown.

        Raises:
            NotFiniteError: They are not finite.
        """
        largest, usual = float(self._largest), float(self._usual)
        if not largest < float("inf"):
            raise NotFiniteError(
                f"The gradients are {largest} at step {step}", "Lower --lr, or use --precision 32."
            )
        growth = largest / usual if usual > 0 else 0.0
        if growth > EXPLODED and not self._warned:
            self._warned = True
            log.warning("%s", growth_message(growth))
        return growth

    def state_dict(self) -> dict[str, Any]:
        """Return what the first steps have shown, for checkpoints."""
        return {"steps": self._steps, "usual": float(self._usual), "warned": self._warned}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take what the first steps of the run that continues have shown."""
        self._steps, self._warned = int(state_dict["steps"]), bool(state_dict["warned"])
        self._usual = torch.tensor(state_dict["usual"])
