"""The published notebook's loop written out plainly: images transformed one by one, fp32, two optimisers.

Only its bugs that prevent learning are fixed (gradients are zeroed); the computation is as published.

Source: Singh & Cirrone, MLHC 2023, and what its text and published code say of the training loop.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms as T

from cass.benchmarking.speed.contestants import Timing, networks, pretrain_config, repeat
from cass.config.speed import SpeedConfig
from cass.hardware import synchronize, torch_device
from cass.methods.cass import cass_loss
from cass.training.stopwatch import Stopwatch

LOADERS = 2
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


class ImageFiles(Dataset[Any]):
    """Images that are opened, decoded and transformed each time they are asked for.

    Args:
        paths: Image files.
        transform: Function of a PIL image.
    """

    def __init__(self, paths: Sequence[Path], transform: Callable[[Any], Any]) -> None:
        self.paths, self.transform = paths, transform

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Any:
        """Return one transformed image."""
        with Image.open(self.paths[index]) as image:
            return self.transform(image.convert("RGB"))


class Published:
    """The published loop.

    Args:
        config: Settings.
        paths: The training images' files.
    """

    def __init__(self, config: SpeedConfig, paths: Sequence[Path]) -> None:
        self.config = pretrain_config(config)
        self.device = torch_device(self.config)
        self.networks: list[nn.Module] = []
        for branch in networks(self.config).values():
            head = nn.Linear(branch.num_features, 1000)
            self.networks.append(nn.Sequential(branch.backbone, head).to(self.device).train())
        self.optimizers = [torch.optim.Adam(network.parameters(), lr=1e-3) for network in self.networks]
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR
        self.schedules = [schedule(optimizer, T_max=16, eta_min=1e-6) for optimizer in self.optimizers]
        transform = T.Compose(
            [
                T.Resize((config.image_size, config.image_size)),
                T.RandomApply([T.ColorJitter(0.2), T.RandomPerspective(0.2)], p=0.3),
                T.RandomApply([T.ColorJitter(0.2), T.RandomAffine(degrees=10)], p=0.3),
                T.RandomVerticalFlip(0.3),
                T.RandomHorizontalFlip(0.3),
                T.ToTensor(),
                T.Normalize(*IMAGENET),
            ]
        )
        self.loader = Stopwatch(
            DataLoader(
                ImageFiles(paths, transform),
                batch_size=config.batch_size,
                shuffle=True,
                num_workers=LOADERS,
                drop_last=True,
                persistent_workers=LOADERS > 0,
            )
        )
        self.batches = repeat(lambda: self.loader)

    def run(self, steps: int) -> Timing:
        """Do some steps."""
        synchronize(self.device)
        start, waited, images = time.perf_counter(), self.loader.waited, 0
        for _ in range(steps):
            view: Tensor = next(self.batches).to(self.device)
            images += len(view)
            for optimizer in self.optimizers:
                optimizer.zero_grad()
            cnn, transformer = (network(view) for network in self.networks)
            loss = cass_loss(cnn, transformer)
            loss.backward()  # type: ignore[no-untyped-call]
            for optimizer, schedule in zip(self.optimizers, self.schedules, strict=True):
                optimizer.step()
                schedule.step()
            loss.item()
        synchronize(self.device)
        return Timing(images, time.perf_counter() - start, self.loader.waited - waited)
