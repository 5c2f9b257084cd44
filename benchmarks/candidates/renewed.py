"""Targets renewed half-way, of what the branches have seen of each image meanwhile: still one pass per step."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from cass.methods.base import METHODS
from cass.methods.cass import CASS, cass_loss
from cass.methods.closed_form import joint_targets
from cass.types import StepOutput, Views


@METHODS.register("cass-renewed")
class Renewed(CASS):
    """After half of the run, targets are made anew of each image's last embeddings, and heads are refitted.

    Source:
        Self-distillation for further pretraining: arXiv 2210.02871.
    """

    def begin(self, embeddings: Mapping[str, Tensor], describe: Callable[[], Tensor]) -> None:
        """Make the first targets, and keep the embeddings that they are made of."""
        super().begin(embeddings, describe)
        self._seen = {name: embedding.clone() for name, embedding in embeddings.items()}
        self._renewed = False

    def forward(self, views: Views, positions: Tensor) -> StepOutput:
        """Compare outputs with targets, and remember the embeddings."""
        (view,) = views
        targets = self.targets[positions.cpu()].to(view.device)
        losses = {}
        for name, branch in self._nets():
            embedding = branch.embed(view)
            self._seen[name][positions.cpu()] = embedding.detach().float().cpu()
            losses[name] = cass_loss(self.heads[name](embedding), targets)
        logs = {f"{name}_loss": loss.detach() for name, loss in losses.items()}
        return StepOutput(torch.stack(list(losses.values())).mean(), logs)

    def after_step(self, progress: float) -> None:
        """Make the targets anew, once."""
        if progress >= 0.5 and not self._renewed:
            self._renewed = True
            seen = list(self._seen.values())
            self.targets = joint_targets(seen, width=self.config.width, power=self.config.power)
            self.fit_heads(self._seen)
