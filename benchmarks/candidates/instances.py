"""Instance discrimination: predict which training image a view is of."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from cass.methods.base import METHODS
from cass.methods.cass_neighbours import CASSNeighbours
from cass.types import StepOutput, Views


@METHODS.register("cass-instances")
class Instances(CASSNeighbours):
    """Each branch predicts the number of the image, with label smoothing; the joint targets are the classifier.

    Source:
        DIET, arXiv 2406.10743.
    """

    class Config(CASSNeighbours.Config):
        """Settings of the joint targets, and of the labels."""

        smoothing: float = Field(0.8, ge=0, lt=1, description="Label smoothing.")

    def forward(self, views: Views, positions: Tensor) -> StepOutput:
        """Compare the similarities to all images with the image's number."""
        (view,) = views
        bank, own = self.compared(view.device), positions.to(view.device)  # sets of up to 8,192 images
        losses = []
        for name, branch in self._nets():
            outputs = F.normalize(self.heads[name](branch.embed(view)).float(), dim=1)
            logits = outputs @ bank.T / self.config.temperature
            losses.append(F.cross_entropy(logits, own, label_smoothing=self.config.smoothing))
        return StepOutput(torch.stack(losses).mean())
