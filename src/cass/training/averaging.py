"""Weight averaging over the last epochs of a run."""

from __future__ import annotations

import lightning.pytorch as pl
from lightning.pytorch.callbacks import WeightAveraging


class EpochAveraging(WeightAveraging):
    """Average the weights at the end of each epoch from ``first_epoch`` on, all samples counting alike.

    When training ends the average becomes the model's weights, so the average is what is saved. Batch
    statistics are averaged with the weights.

    Args:
        first_epoch: The first epoch (from 0) whose last weights are part of the average.

    Source:
        Izmailov et al., Averaging Weights Leads to Wider Optima and Better Generalization, UAI 2018.
    """

    def __init__(self, first_epoch: int) -> None:
        super().__init__(use_buffers=True)
        self.first_epoch = first_epoch

    def should_update(self, step_idx: int | None = None, epoch_idx: int | None = None) -> bool:
        """Tell whether to take a sample now: at the end of epochs, from the first one on."""
        return epoch_idx is not None and epoch_idx >= self.first_epoch

    def apply(self, module: pl.LightningModule) -> None:
        """Put the average into the module, also where a resumed run has no epoch left to train."""
        self._copy_average_to_current(module)


def first_averaged_epoch(start: float, epochs: int) -> int | None:
    """Turn the share of a run into the epoch from which weights are averaged.

    Args:
        start: Share of the run, in [0, 1].
        epochs: Epochs of the run.

    Returns:
        The epoch, from 0; at least the last one is averaged. None where ``start`` is 1: no averaging.
    """
    return None if start >= 1 else min(int(start * epochs), epochs - 1)
