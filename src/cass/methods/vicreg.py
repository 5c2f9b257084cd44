"""VICReg: two views are pulled together while each dimension keeps its variance and is decorrelated.

Source: Bardes et al., VICReg: Variance-Invariance-Covariance Regularization, ICLR 2022; arXiv 2105.04906.
"""

from __future__ import annotations

from lightly.loss import VICRegLoss
from lightly.models.modules import BarlowTwinsProjectionHead
from pydantic import Field
from torch import Tensor

from cass.methods.base import METHODS, MethodConfig
from cass.methods.per_branch import TOGETHER, Learner, PerBranch
from cass.models.backbones import Branch
from cass.types import Views


class VICRegConfig(MethodConfig):
    """Settings of VICReg."""

    width: int = Field(
        2048, ge=2, le=16384, description="Width of the projector, as in lightly's examples; the paper's is 8192."
    )


class VICRegLearner(Learner):
    """One network with a projector."""

    def __init__(self, branch: Branch, config: VICRegConfig) -> None:
        super().__init__(branch, config)
        self.projector = BarlowTwinsProjectionHead(branch.num_features, config.width, config.width)
        self.loss = VICRegLoss(gather_distributed=TOGETHER)

    def forward(self, views: Views) -> Tensor:
        """Pull the projections of the two views together, and keep their variance and decorrelation.

        Args:
            views: Two views (B, C, S, S) of the same images, in [0, 1].

        Returns:
            Scalar loss, 0 or more.
        """
        a, b = (self.projector(self.branch.embed(view)) for view in views)
        loss: Tensor = self.loss(a, b)
        return loss


@METHODS.register("vicreg")
class VICReg(PerBranch):
    """VICReg, each branch by itself.

    Example:
        >>> import torch
        >>> from cass.models.backbones import BackboneSpec, build_branch
        >>> branch = build_branch(BackboneSpec("test_vit", image_size=32), seed=0)
        >>> method = VICReg(VICRegConfig(width=64), {"transformer": branch})
        >>> views = [torch.rand(4, 3, 32, 32) for _ in range(2)]
        >>> method(views, torch.arange(4)).loss.shape
        torch.Size([])
    """

    Config = VICRegConfig
    learner = VICRegLearner
    default_views = "vicreg"
