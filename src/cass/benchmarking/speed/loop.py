"""cass's own pretraining, timed: stored images, augmentation on the device, Lightning's loop."""

from __future__ import annotations

import torch

from cass.benchmarking.speed.contestants import Timing, networks, pretrain_config
from cass.config.speed import SpeedConfig
from cass.data.store.dataset import Images, StoredImages
from cass.hardware import torch_device
from cass.methods.base import METHODS, build_method
from cass.training.timing import time_pretraining
from cass.transforms.recipes import RECIPES
from cass.transforms.views import build_views

UNTIMED_STEPS = 2


class Loop:
    """The loop of ``cass pretrain``, without its collapse watch, which belongs to no step.

    Args:
        config: Settings.
        images: Decoded images.
        rows: Rows of the training images.
    """

    def __init__(self, config: SpeedConfig, images: Images, rows: list[int]) -> None:
        self.config = pretrain_config(config)
        self.device = torch_device(self.config)
        self.batch = config.batch_size
        self.images, self.rows = images, rows
        self.method = build_method(METHODS.find("cass"), {}, dict(networks(self.config).items()))

    def run(self, steps: int) -> Timing:
        """Do two steps more than asked; the first two are not timed."""
        rows = sorted(self.rows[index % len(self.rows)] for index in range((steps + UNTIMED_STEPS) * self.batch))
        self._begin(len(rows))
        clock = time_pretraining(
            self.method,
            self.config,
            StoredImages(self.images, rows),
            make_views=build_views(RECIPES[self.method.default_views]),
            batch_size=self.batch,
            warm_up=UNTIMED_STEPS,
        )
        return Timing(steps * self.batch, clock.seconds, clock.waited)

    def _begin(self, count: int) -> None:
        """Give the method random embeddings as its start: what is timed is the step, not what is learned."""
        draw = torch.Generator().manual_seed(0)
        self.method.begin(
            {
                name: torch.randn(count, branch.num_features, generator=draw)
                for name, branch in self.method.branches().items()
            },
            lambda: torch.randn(count, 512, generator=draw),
        )
