"""SimSiam: one view predicts the other's projection, which no gradient reaches.

Source: Chen & He, Exploring Simple Siamese Representation Learning, CVPR 2021; arXiv 2011.10566.
"""

from __future__ import annotations

from lightly.loss import NegativeCosineSimilarity
from lightly.models.modules import SimSiamPredictionHead, SimSiamProjectionHead
from pydantic import Field
from torch import Tensor

from cass.methods.base import METHODS, MethodConfig
from cass.methods.per_branch import Learner, PerBranch
from cass.models.backbones import Branch
from cass.types import Views


class SimSiamConfig(MethodConfig):
    """Settings of SimSiam."""

    width: int = Field(2048, ge=8, le=16384, description="Width of the projector; the predictor's is a quarter.")


class SimSiamLearner(Learner):
    """One network with a projector and a predictor."""

    def __init__(self, branch: Branch, config: SimSiamConfig) -> None:
        super().__init__(branch, config)
        self.projector = SimSiamProjectionHead(branch.num_features, config.width, config.width)
        self.predictor = SimSiamPredictionHead(config.width, config.width // 4, config.width)
        self.loss = NegativeCosineSimilarity()

    def forward(self, views: Views) -> Tensor:
        """Compare each view's prediction with the other's projection.

        Args:
            views: Two views (B, C, S, S) of the same images, in [0, 1].

        Returns:
            Scalar loss in [-1, 1]: the negative cosine similarity.
        """
        a, b = (self.projector(self.branch.embed(view)) for view in views)
        loss: Tensor = (self.loss(self.predictor(a), b.detach()) + self.loss(self.predictor(b), a.detach())) / 2
        return loss


@METHODS.register("simsiam")
class SimSiam(PerBranch):
    """SimSiam, each branch by itself.

    Example:
        >>> import torch
        >>> from cass.models.backbones import BackboneSpec, build_branch
        >>> branch = build_branch(BackboneSpec("test_vit", image_size=32), seed=0)
        >>> method = SimSiam(SimSiamConfig(width=64), {"transformer": branch})
        >>> views = [torch.rand(4, 3, 32, 32) for _ in range(2)]
        >>> method(views, torch.arange(4)).loss.shape
        torch.Size([])
    """

    Config = SimSiamConfig
    learner = SimSiamLearner
    default_views = "simsiam"
