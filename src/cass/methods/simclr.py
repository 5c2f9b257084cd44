"""SimCLR: two views of an image are contrasted with those of the other images of the batch.

Source: Chen et al., A Simple Framework for Contrastive Learning of Visual Representations, ICML 2020;
arXiv 2002.05709.
"""

from __future__ import annotations

from lightly.loss import NTXentLoss
from lightly.models.modules import SimCLRProjectionHead
from pydantic import Field
from torch import Tensor

from cass.methods.base import METHODS, MethodConfig
from cass.methods.per_branch import TOGETHER, Learner, PerBranch
from cass.models.backbones import Branch
from cass.types import Views


class SimCLRConfig(MethodConfig):
    """Settings of SimCLR."""

    temperature: float = Field(0.1, gt=0, le=10, description="Temperature of the similarities.")


class SimCLRLearner(Learner):
    """One network with a projector."""

    def __init__(self, branch: Branch, config: SimCLRConfig) -> None:
        super().__init__(branch, config)
        self.projector = SimCLRProjectionHead(branch.num_features)
        self.loss = NTXentLoss(config.temperature, gather_distributed=TOGETHER)

    def forward(self, views: Views) -> Tensor:
        """Contrast the projections of two views, each (B, C, S, S) in [0, 1]; returns a scalar, 0 or more."""
        a, b = (self.projector(self.branch.embed(view)) for view in views)
        loss: Tensor = self.loss(a, b)
        return loss


@METHODS.register("simclr")
class SimCLR(PerBranch):
    """SimCLR, each branch by itself.

    Example:
        >>> import torch
        >>> from cass.models.backbones import BackboneSpec, build_branch
        >>> branch = build_branch(BackboneSpec("test_vit", image_size=32), seed=0)
        >>> method = SimCLR(SimCLRConfig(), {"transformer": branch})
        >>> views = [torch.rand(4, 3, 32, 32) for _ in range(2)]
        >>> method(views, torch.arange(4)).loss.shape
        torch.Size([])
    """

    Config = SimCLRConfig
    learner = SimCLRLearner
    default_views = "simclr"
