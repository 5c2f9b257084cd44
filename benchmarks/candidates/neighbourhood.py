"""Soft instance discrimination: predict how similar an image is to every other one, not one vector."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from pydantic import Field

from cass.methods.base import METHODS
from cass.methods.cass import CASS
from cass.types import StepOutput, Views


@METHODS.register("cass-neighbourhood")
class Neighbourhood(CASS):
    """Each branch predicts the neighbourhood of the image among all N training images.

    The target of image i is softmax(t_i·T^T / temperature) with T the joint targets; a branch's output is compared
    with the same T, and the loss is the cross-entropy. With ``smoothing``, the target is the image's own number
    with label smoothing instead.

    Source:
        Hard targets with label smoothing: DIET, arXiv 2406.10743.
    """

    class Config(CASS.Config):
        """Settings of the joint targets, and of what is made of them."""

        temperature: float = Field(0.1, gt=0, description="Temperature of both distributions.")
        smoothing: float | None = Field(None, ge=0, lt=1, description="Label smoothing of hard targets.")

    def forward(self, views: Views, positions: torch.Tensor) -> StepOutput:
        """Compare the similarities to all images with those of the target."""
        (view,) = views
        bank = self.targets.to(view.device)
        own = positions.to(view.device)
        told = (
            own if self.config.smoothing is not None else (bank[own] @ bank.T / self.config.temperature).softmax(1)
        )
        losses = {}
        for name, branch in self._nets():
            outputs = F.normalize(self.heads[name](branch.embed(view)).float(), dim=1)
            logits = outputs @ bank.T / self.config.temperature
            losses[name] = F.cross_entropy(logits, told, label_smoothing=self.config.smoothing or 0.0)
        logs = {f"{name}_loss": loss.detach() for name, loss in losses.items()}
        return StepOutput(torch.stack(list(losses.values())).mean(), logs)
