"""BYOL: one view predicts the moving average's projection of the other.

Source: Grill et al., Bootstrap Your Own Latent, NeurIPS 2020; arXiv 2006.07733.
"""

from __future__ import annotations

import torch
from lightly.loss import NegativeCosineSimilarity
from lightly.models.modules import BYOLPredictionHead, BYOLProjectionHead
from lightly.models.utils import update_momentum
from pydantic import Field
from torch import Tensor

from cass.methods.base import METHODS, MethodConfig
from cass.methods.per_branch import Learner, PerBranch, frozen_copy, rising_momentum
from cass.models.backbones import Branch
from cass.types import Views


class BYOLConfig(MethodConfig):
    """Settings of BYOL."""

    hidden: int = Field(4096, ge=2, le=16384, description="Width of the heads' hidden layers.")
    momentum: float = Field(0.996, ge=0, le=1, description="Momentum of the target at the start; it rises to 1.")


class BYOLLearner(Learner):
    """Online network with a predictor, and the target that follows it."""

    def __init__(self, branch: Branch, config: BYOLConfig) -> None:
        super().__init__(branch, config)
        self.projector = BYOLProjectionHead(branch.num_features, config.hidden)
        self.predictor = BYOLPredictionHead(hidden_dim=config.hidden)
        self.target: Branch = frozen_copy(branch)
        self.target_projector = frozen_copy(self.projector)
        self.loss = NegativeCosineSimilarity()

    def forward(self, views: Views) -> Tensor:
        """Compare each view's prediction with the target's projection of the other view.

        Args:
            views: Two views (B, C, S, S) of the same images, in [0, 1].

        Returns:
            Scalar loss in [-1, 1]: the negative cosine similarity.
        """
        first, second = (self.predictor(self.projector(self.branch.embed(view))) for view in views)
        with torch.no_grad():
            a, b = (self.target_projector(self.target.embed(view)) for view in views)
        loss: Tensor = (self.loss(first, b) + self.loss(second, a)) / 2
        return loss

    def after_step(self, progress: float) -> None:
        """Move the target towards the online network."""
        momentum = rising_momentum(self.config.momentum, progress)
        with torch.no_grad():
            update_momentum(self.branch, self.target, momentum)
            update_momentum(self.projector, self.target_projector, momentum)


@METHODS.register("byol")
class BYOL(PerBranch):
    """BYOL, each branch by itself.

    Example:
        >>> import torch
        >>> from cass.models.backbones import BackboneSpec, build_branch
        >>> branch = build_branch(BackboneSpec("test_vit", image_size=32), seed=0)
        >>> method = BYOL(BYOLConfig(hidden=64), {"transformer": branch})
        >>> views = [torch.rand(4, 3, 32, 32) for _ in range(2)]
        >>> method(views, torch.arange(4)).loss.shape
        torch.Size([])
    """

    Config = BYOLConfig
    learner = BYOLLearner
    default_views = "byol"
