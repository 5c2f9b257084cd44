"""Barlow Twins: the cross-correlation of two views' projections is made the identity.

Source: Zbontar et al., Barlow Twins: Self-Supervised Learning via Redundancy Reduction, ICML 2021;
arXiv 2103.03230.
"""

from __future__ import annotations

from lightly.loss import BarlowTwinsLoss
from lightly.models.modules import BarlowTwinsProjectionHead
from pydantic import Field
from torch import Tensor

from cass.methods.base import METHODS, MethodConfig
from cass.methods.per_branch import TOGETHER, Learner, PerBranch
from cass.models.backbones import Branch
from cass.types import Views


class BarlowTwinsConfig(MethodConfig):
    """Settings of Barlow Twins."""

    width: int = Field(
        2048, ge=2, le=16384, description="Width of the projector, as in lightly's examples; the paper's is 8192."
    )


class BarlowTwinsLearner(Learner):
    """One network with a projector."""

    def __init__(self, branch: Branch, config: BarlowTwinsConfig) -> None:
        super().__init__(branch, config)
        self.projector = BarlowTwinsProjectionHead(branch.num_features, config.width, config.width)
        self.loss = BarlowTwinsLoss(gather_distributed=TOGETHER)

    def forward(self, views: Views) -> Tensor:
        """Bring the cross-correlation of the two views' projections close to the identity.

        Args:
            views: Two views (B, C, S, S) of the same images, in [0, 1].

        Returns:
            Scalar loss, 0 or more.
        """
        a, b = (self.projector(self.branch.embed(view)) for view in views)
        loss: Tensor = self.loss(a, b)
        return loss


@METHODS.register("barlow_twins")
class BarlowTwins(PerBranch):
    """Barlow Twins, each branch by itself.

    Example:
        >>> import torch
        >>> from cass.models.backbones import BackboneSpec, build_branch
        >>> branch = build_branch(BackboneSpec("test_vit", image_size=32), seed=0)
        >>> method = BarlowTwins(BarlowTwinsConfig(width=64), {"transformer": branch})
        >>> views = [torch.rand(4, 3, 32, 32) for _ in range(2)]
        >>> method(views, torch.arange(4)).loss.shape
        torch.Size([])
    """

    Config = BarlowTwinsConfig
    learner = BarlowTwinsLearner
    default_views = "byol"
