"""MoCo v3: a view is contrasted with the moving average's embeddings of the other images of the batch.

Source: Chen et al., An Empirical Study of Training Self-Supervised Vision Transformers, ICCV 2021;
arXiv 2104.02057.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from lightly.models.modules import MoCoProjectionHead
from lightly.models.utils import deactivate_requires_grad, update_momentum
from lightly.utils.dist import gather, rank, world_size
from pydantic import Field
from torch import Tensor

from cass.methods.base import METHODS, MethodConfig
from cass.methods.per_branch import Learner, PerBranch, frozen_copy, rising_momentum
from cass.models.backbones import Branch
from cass.types import Views

WIDTH = 256


class MoCoV3Config(MethodConfig):
    """Settings of MoCo v3."""

    momentum: float = Field(
        0.99, ge=0, le=1, description="Momentum of the second encoder at the start; it rises to 1."
    )
    hidden: int = Field(4096, ge=2, le=16384, description="Width of the heads' hidden layers.")
    temperature: float = Field(0.2, gt=0, le=10, description="Temperature of the similarities.")


class MoCoV3Learner(Learner):
    """Encoder with a predictor, and the encoder that follows it. A Transformer's patch projection is frozen."""

    def __init__(self, branch: Branch, config: MoCoV3Config) -> None:
        super().__init__(branch, config)
        convolutional = branch.patch_size is None
        if not convolutional:
            deactivate_requires_grad(branch.backbone.patch_embed)
        layers = 2 if convolutional else 3
        hidden = config.hidden
        self.projector = MoCoProjectionHead(branch.num_features, hidden, WIDTH, num_layers=layers, batch_norm=True)
        self.predictor = MoCoProjectionHead(WIDTH, hidden, WIDTH, num_layers=2, batch_norm=True)
        self.follower: Branch = frozen_copy(branch)
        self.follower_projector = frozen_copy(self.projector)

    def forward(self, views: Views) -> Tensor:
        """Contrast each view with the other, both ways.

        Args:
            views: Two views (B, C, S, S) of the same images, in [0, 1].

        Returns:
            Scalar loss, 0 or more.
        """
        first, second = (self.predictor(self.projector(self.branch.embed(view))) for view in views)
        with torch.no_grad():
            a, b = (self.follower_projector(self.follower.embed(view)) for view in views)
        return contrastive_loss(first, b, self.config.temperature) + contrastive_loss(
            second, a, self.config.temperature
        )

    def after_step(self, progress: float) -> None:
        """Move the second encoder towards the first."""
        momentum = rising_momentum(self.config.momentum, progress)
        with torch.no_grad():
            update_momentum(self.branch, self.follower, momentum)
            update_momentum(self.projector, self.follower_projector, momentum)


def contrastive_loss(queries: Tensor, keys: Tensor, temperature: float) -> Tensor:
    """Contrast each query's own key with those of the other images, over all processes.

    Args:
        queries: (B, W).
        keys: (B, W), without gradient.
        temperature: Temperature of the similarities, positive.

    Returns:
        Scalar, 0 or more.

    Source:
        Algorithm 1 of the paper.
    """
    queries, keys = F.normalize(queries.float(), dim=1), F.normalize(keys.float(), dim=1)
    everyone = torch.cat(gather(keys)) if world_size() > 1 else keys
    own = torch.arange(len(queries), device=queries.device) + rank() * len(queries)
    return 2 * temperature * F.cross_entropy(queries @ everyone.T / temperature, own)


@METHODS.register("mocov3")
class MoCoV3(PerBranch):
    """MoCo v3, each branch by itself.

    Example:
        >>> import torch
        >>> from cass.models.backbones import BackboneSpec, build_branch
        >>> branch = build_branch(BackboneSpec("test_vit", image_size=32), seed=0)
        >>> method = MoCoV3(MoCoV3Config(hidden=64), {"transformer": branch})
        >>> views = [torch.rand(4, 3, 32, 32) for _ in range(2)]
        >>> method(views, torch.arange(4)).loss.shape
        torch.Size([])
    """

    Config = MoCoV3Config
    learner = MoCoV3Learner
    default_views = "byol"
