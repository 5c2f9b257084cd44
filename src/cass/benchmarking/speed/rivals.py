"""lightly's DINO, SimSiam and BYOL on one branch, with their own default transforms, heads and losses."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from lightly.loss import DINOLoss, NegativeCosineSimilarity
from lightly.models.modules import (
    BYOLPredictionHead,
    BYOLProjectionHead,
    DINOProjectionHead,
    SimSiamPredictionHead,
    SimSiamProjectionHead,
)
from lightly.models.utils import deactivate_requires_grad, update_momentum
from lightly.transforms import BYOLTransform, DINOTransform, SimSiamTransform
from lightly.transforms.byol_transform import BYOLView1Transform, BYOLView2Transform
from torch import Tensor, nn
from torch.utils.data import DataLoader

from cass.benchmarking.speed.contestants import (
    Timing,
    adam,
    autocast,
    kernels,
    networks,
    pretrain_config,
    repeat,
)
from cass.benchmarking.speed.published import LOADERS, ImageFiles
from cass.config.speed import SpeedConfig
from cass.hardware import synchronize, torch_device
from cass.training.stopwatch import Stopwatch
from cass.types import BranchName

LOCAL_SHARE = 96 / 224  # DINO's local crops beside its global ones
MOMENTUM = 0.996


class _DINO(nn.Module):
    """Student and teacher; the teacher sees the two global crops, the student all eight."""

    def __init__(self, backbone: nn.Module, width: int) -> None:
        super().__init__()
        self.student = nn.Sequential(backbone, DINOProjectionHead(width))
        self.teacher = nn.Sequential(copy.deepcopy(backbone), DINOProjectionHead(width))
        deactivate_requires_grad(self.teacher)
        self.criterion = DINOLoss()

    def forward(self, views: list[Tensor]) -> Tensor:
        update_momentum(self.student, self.teacher, m=MOMENTUM)
        # Crops of one size go through together, as DINO's own code does it.
        large, small = torch.cat(views[:2]), torch.cat(views[2:])
        with torch.no_grad():
            teacher = self.teacher(large).chunk(2)
        student = [*self.student(large).chunk(2), *self.student(small).chunk(len(views) - 2)]
        loss: Tensor = self.criterion(list(teacher), student, epoch=0)
        return loss


class _SimSiam(nn.Module):
    def __init__(self, backbone: nn.Module, width: int) -> None:
        super().__init__()
        self.encoder = nn.Sequential(backbone, SimSiamProjectionHead(width))
        self.predictor = SimSiamPredictionHead()
        self.criterion = NegativeCosineSimilarity()

    def forward(self, views: list[Tensor]) -> Tensor:
        (a, b) = (self.encoder(view) for view in views)
        loss: Tensor = self.criterion(self.predictor(a), b.detach()) + self.criterion(
            self.predictor(b), a.detach()
        )
        return loss / 2


class _BYOL(nn.Module):
    def __init__(self, backbone: nn.Module, width: int) -> None:
        super().__init__()
        self.online = nn.Sequential(backbone, BYOLProjectionHead(width))
        self.target = copy.deepcopy(self.online)
        self.predictor = BYOLPredictionHead()
        deactivate_requires_grad(self.target)
        self.criterion = NegativeCosineSimilarity()

    def forward(self, views: list[Tensor]) -> Tensor:
        update_momentum(self.online, self.target, m=MOMENTUM)
        with torch.no_grad():
            (a, b) = (self.target(view) for view in views)
        (p, q) = (self.predictor(self.online(view)) for view in views)
        loss: Tensor = self.criterion(p, b) + self.criterion(q, a)
        return loss / 2


def _dino_transform(side: int, tile: int) -> Any:
    small = max(tile, round(side * LOCAL_SHARE / tile) * tile)
    return DINOTransform(global_crop_size=side, local_crop_size=small)


def _byol_transform(side: int, tile: int) -> Any:
    return BYOLTransform(BYOLView1Transform(input_size=side), BYOLView2Transform(input_size=side))


def _simsiam_transform(side: int, tile: int) -> Any:
    return SimSiamTransform(input_size=side)


RIVALS: dict[str, tuple[Callable[[nn.Module, int], nn.Module], Callable[[int, int], Any]]] = {
    "dino": (_DINO, _dino_transform),
    "simsiam": (_SimSiam, _simsiam_transform),
    "byol": (_BYOL, _byol_transform),
}


class Rival:
    """One of lightly's methods on one branch, in the precision and with the optimiser that cass has.

    Args:
        name: ``dino``, ``simsiam`` or ``byol``.
        branch: Which network.
        config: Settings.
        paths: The training images' files.
    """

    def __init__(self, name: str, branch: BranchName, config: SpeedConfig, paths: Sequence[Path]) -> None:
        self.config = pretrain_config(config)
        self.device = torch_device(self.config)
        several_sizes = {"dynamic_img_size": True} if name == "dino" else {}
        both = networks(self.config, **several_sizes)
        network = both[branch]
        if branch == "cnn":
            network.to(memory_format=torch.channels_last)
        make, make_transform = RIVALS[name]
        self.model = make(network.backbone, network.num_features).to(self.device).train()
        self.optimizer = adam(parameter for parameter in self.model.parameters() if parameter.requires_grad)
        patch = getattr(getattr(both["transformer"].backbone, "patch_embed", None), "patch_size", (1, 1))
        loader = DataLoader(
            ImageFiles(paths, make_transform(config.image_size, patch[0])),
            batch_size=config.batch_size,
            shuffle=True,
            num_workers=LOADERS,
            drop_last=True,
            persistent_workers=LOADERS > 0,
        )
        self.loader = Stopwatch(loader)
        self.batches = repeat(lambda: self.loader)

    def run(self, steps: int) -> Timing:
        """Do some steps."""
        with kernels(self.config, self.model):
            return self._run(steps)

    def _run(self, steps: int) -> Timing:
        synchronize(self.device)
        start, waited, images = time.perf_counter(), self.loader.waited, 0
        for _ in range(steps):
            views = [
                view.to(self.device, non_blocking=True).contiguous(memory_format=torch.channels_last)
                for view in next(self.batches)
            ]
            images += len(views[0])
            with autocast(self.config):
                loss = self.model(views)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
        synchronize(self.device)
        return Timing(images, time.perf_counter() - start, self.loader.waited - waited)
