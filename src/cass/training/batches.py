"""From stored pixels to augmented views on the device, for every Lightning module that trains."""

from __future__ import annotations

import lightning.pytorch as pl
import torch
from torch import Tensor

from cass.data.store.dataset import Batch, to_images
from cass.seeds import derive_seed
from cass.transforms.views import MakeViews


class BatchModule(pl.LightningModule):
    """A module that is fed stored pixels and makes the views of a batch on its own device.

    Args:
        make_views: The augmentation.
        seed: Seed of the run.
    """

    def __init__(self, make_views: MakeViews, *, seed: int) -> None:
        super().__init__()
        self.make_views = make_views
        self.seed = seed

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        """Move what the networks need; row numbers stay on the CPU, where the random numbers are drawn."""
        return batch._replace(
            pixels=batch.pixels.to(device, non_blocking=True), targets=batch.targets.to(device, non_blocking=True)
        )

    def views(self, batch: Batch, *, items: Tensor | None = None) -> list[Tensor]:
        """Make the augmented views of a batch.

        Args:
            batch: B images.
            items: Numbers (B,) that each image's random numbers are drawn from; default: its row.

        Returns:
            (B, C, V, V) in [0, 1] for each view, channels last in memory.
        """
        seed = derive_seed(self.seed, "views", self.current_epoch)
        numbers = batch.rows if items is None else items
        views = self.make_views(to_images(batch.pixels), seed, numbers.numpy())
        return [view.contiguous(memory_format=torch.channels_last) for view in views]

    def on_train_epoch_start(self) -> None:
        """Tie the networks' own randomness (dropout) to the epoch, so that a resumed run repeats it."""
        torch.manual_seed(derive_seed(self.seed, "network", self.current_epoch, self.global_rank))

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Let go of the last step's gradients before the forward pass; Lightning would after it."""
        if batch_idx % self.trainer.accumulate_grad_batches == 0:
            for parameter in self.parameters():
                parameter.grad = None

    def share(self, batch: Batch, parts: int) -> float:
        """Return the factor that makes the mean over ``parts`` unequal parts of a step its images' mean."""
        return len(batch.rows) * parts / batch.total
