"""torch.compile, tried in long runs and kept if a step is measured to be faster."""

from __future__ import annotations

import logging
import statistics
import time
from typing import Any

import lightning.pytorch as pl
import torch

from cass.hardware import synchronize

log = logging.getLogger("cass")

WARM_UP, MEASURED = 3, 10
LEAST_LEFT = {"cpu": 3600.0, "cuda": 900.0}  # seconds of training left; compiling takes minutes
LEAST_GAIN = 1.03


class CompileTrial(pl.Callback):
    """Compiles the backbones of a module's branches.

    Args:
        mode: ``on`` compiles before the first step. ``auto`` times some steps, and where the rest of the run
            is long enough to repay compiling, compiles, times some more, and keeps the faster. ``off`` does
            nothing.
    """

    def __init__(self, mode: str) -> None:
        self.mode = mode
        self.state = {"on": "compiled", "off": "plain", "auto": "undecided"}[mode]
        self._seconds: list[float] = []
        self._plain = 0.0
        self._trying = False

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Compile now if the user or the resumed run has decided so."""
        if self.state == "compiled":
            _compile(module)

    def on_train_batch_start(self, trainer: pl.Trainer, *_: Any) -> None:
        """Start the clock of a step."""
        if self.state == "undecided":
            synchronize(trainer.strategy.root_device)
            self._started = time.perf_counter()

    def on_train_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, *_: Any) -> None:
        """Time the step, and decide when enough are timed."""
        if self.state != "undecided":
            return
        synchronize(trainer.strategy.root_device)
        self._seconds.append(time.perf_counter() - self._started)
        if len(self._seconds) < WARM_UP + MEASURED:
            return
        measured = statistics.median(self._seconds[WARM_UP:])
        self._seconds = []
        if self._trying:
            self._decide(module, measured)
            return
        left = (trainer.estimated_stepping_batches - trainer.global_step) * measured
        if left < LEAST_LEFT.get(module.device.type, float("inf")):
            self.state = "plain"
            return
        self._plain, self._trying = measured, True
        log.info("Compiling the networks to see whether steps get faster; the next steps take minutes.")
        _compile(module)

    def _decide(self, module: pl.LightningModule, measured: float) -> None:
        gain = self._plain / measured
        self.state = "compiled" if gain >= LEAST_GAIN else "plain"
        if self.state == "plain":
            _restore(module)
        kept = "continuing with compiled networks" if self.state == "compiled" else "continuing without compiling"
        log.info("A compiled step is %.2f times as fast: %s.", gain, kept)

    def state_dict(self) -> dict[str, Any]:
        """Return what was decided, for checkpoints."""
        return {"state": self.state}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the decision of the run that continues."""
        if self.mode == "auto":
            self.state = state_dict["state"]


def _backbones(module: pl.LightningModule) -> list[torch.nn.Module]:
    from cass.models.backbones import Branch

    return [part.backbone for part in module.modules() if isinstance(part, Branch)]


def _compile(module: pl.LightningModule) -> None:
    import torch._dynamo

    # Where a network cannot be compiled, or no compiler is installed, it runs as it is.
    torch._dynamo.config.suppress_errors = True
    for backbone in _backbones(module):
        backbone.compile()


def _restore(module: pl.LightningModule) -> None:
    for backbone in _backbones(module):
        backbone._compiled_call_impl = None
