"""Weights half-way between the start and the adapted networks."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from cass.methods.base import METHODS
from cass.methods.cass import CASS
from cass.models.backbones import Branch


@METHODS.register("cass-blended")
class Blended(CASS):
    """The joint targets; after the last step the weights are moved back towards those of the start.

    Source:
        Wortsman et al., Robust fine-tuning of zero-shot models (WiSE-FT), CVPR 2022.
    """

    class Config(CASS.Config):
        """Settings of the joint targets, and of the blend."""

        share: float = Field(0.5, ge=0, le=1, description="Share of the adapted weights.")

    def __init__(self, config: Config, branches: dict[str, Branch]) -> None:
        super().__init__(config, branches)
        self._start: list[Tensor] = [weight.detach().clone() for weight in self.nets.parameters()]

    @torch.no_grad()
    def after_step(self, progress: float) -> None:
        """Blend the weights once training is over."""
        if progress >= 1:
            for weight, start in zip(self.nets.parameters(), self._start, strict=True):
                weight.lerp_(start.to(weight.device), 1 - self.config.share)
