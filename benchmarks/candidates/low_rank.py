"""Low-rank changes of a Transformer's weights; of the CNN, the last stages and norms."""

from __future__ import annotations

import torch
from partial import CNN
from pydantic import Field
from torch import Tensor, nn
from torch.nn.utils import parametrize

from cass.methods.base import METHODS
from cass.methods.cass import CASS
from cass.models.backbones import Branch


class LowRank(nn.Module):
    """A weight (E, D) plus a product of (E, R) and (R, D), which begins at zero."""

    def __init__(self, weight: Tensor, rank: int) -> None:
        super().__init__()
        self.first = nn.Parameter(torch.randn(rank, weight.shape[1]) / weight.shape[1] ** 0.5)
        self.second = nn.Parameter(torch.zeros(weight.shape[0], rank))

    def forward(self, weight: Tensor) -> Tensor:
        """Return the changed weight."""
        return weight + self.second @ self.first


@METHODS.register("cass-low-rank")
class LowRankCASS(CASS):
    """The joint targets, learned by low-rank changes of the blocks' linear layers (efficientnet_lite0 and a ViT).

    Source:
        ExPLoRA, arXiv 2406.10973.
    """

    class Config(CASS.Config):
        """Settings of the joint targets, and of the changes."""

        rank: int = Field(8, ge=1, description="Rank of the changes.")

    def __init__(self, config: Config, branches: dict[str, Branch]) -> None:
        super().__init__(config, branches)
        for branch in branches.values():
            for name, parameter in branch.backbone.named_parameters():
                trained = "norm" in name if branch.is_transformer else any(part in name for part in CNN)
                parameter.requires_grad_(trained)
        self._changed = [
            part
            for name, part in branches["transformer"].backbone.named_modules()
            if isinstance(part, nn.Linear) and name.startswith("blocks.")
        ]
        for part in self._changed:
            parametrize.register_parametrization(part, "weight", LowRank(part.weight, config.rank))

    def after_step(self, progress: float) -> None:
        """Make the changes part of the weights once training is over."""
        if progress >= 1:
            for part in self._changed:
                parametrize.remove_parametrizations(part, "weight", leave_parametrized=True)
            self._changed = []
