"""SwAV: views predict each other's assignment to learned prototypes, spread evenly over the images.

Source: Caron et al., Unsupervised Learning of Visual Features by Contrasting Cluster Assignments, NeurIPS 2020;
arXiv 2006.09882.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from lightly.loss import SwaVLoss
from lightly.models.modules import SwaVProjectionHead, SwaVPrototypes
from pydantic import Field
from torch import Tensor

from cass.methods.base import METHODS, MethodConfig
from cass.methods.per_branch import TOGETHER, Learner, PerBranch, by_size
from cass.models.backbones import Branch
from cass.types import Views

PROTOTYPE_WIDTH = 128


class SwAVConfig(MethodConfig):
    """Settings of SwAV."""

    prototypes: int = Field(512, ge=2, le=100000, description="Prototypes; the paper has 3000 for ImageNet.")
    queue: int = Field(
        1024,
        ge=0,
        description="Earlier projections that join a small batch when it is spread over the prototypes, once "
        "there are so many; 0: none.",
    )


class SwAVLearner(Learner):
    """One network with a projector, prototypes, and a queue for small batches."""

    queue: Tensor
    filled: Tensor

    def __init__(self, branch: Branch, config: SwAVConfig) -> None:
        super().__init__(branch, config)
        self.projector = SwaVProjectionHead(branch.num_features, output_dim=PROTOTYPE_WIDTH)
        self.prototypes = SwaVPrototypes(PROTOTYPE_WIDTH, config.prototypes)
        self.prototypes.normalize()
        self.loss = SwaVLoss(sinkhorn_gather_distributed=TOGETHER)
        self.register_buffer("queue", torch.zeros(2, config.queue, PROTOTYPE_WIDTH))
        self.register_buffer("filled", torch.zeros((), dtype=torch.long))

    def forward(self, views: Views) -> Tensor:
        """Predict from every view the large views' assignments to the prototypes.

        Args:
            views: Two large views (B, C, S, S) of the same images, in [0, 1], then any number of small ones.

        Returns:
            Scalar loss, 0 or more: the mean cross-entropy over the pairs of views.
        """
        outputs = by_size(lambda images: self.projector(self.branch.embed(images)), views)
        projections = [F.normalize(output.float(), dim=1) for output in outputs]
        scores: list[Any] = [self.prototypes(projection) for projection in projections]
        queued = None
        if self.config.queue and self.filled >= self.config.queue:
            with torch.no_grad():
                queued = [self.prototypes(part) for part in self.queue.clone()]
        loss: Tensor = self.loss(scores[:2], scores[2:], queued).squeeze()
        if self.config.queue and self.training:
            self._remember(projections[:2])
        return loss

    def after_step(self, progress: float) -> None:
        """Bring the prototypes back to unit length."""
        self.prototypes.normalize()

    @torch.no_grad()
    def _remember(self, projections: list[Tensor]) -> None:
        """Put a batch's projections in the place of the oldest."""
        new = torch.stack(projections)[:, : self.config.queue]
        self.queue.copy_(torch.cat([new, self.queue], dim=1)[:, : self.config.queue])
        self.filled += new.shape[1]


@METHODS.register("swav")
class SwAV(PerBranch):
    """SwAV with multi-crop, each branch by itself.

    Example:
        >>> import torch
        >>> from cass.models.backbones import BackboneSpec, build_branch
        >>> branch = build_branch(BackboneSpec("test_vit", image_size=32, args={"dynamic_img_size": True}), seed=0)
        >>> method = SwAV(SwAVConfig(prototypes=16), {"transformer": branch})
        >>> views = [torch.rand(4, 3, side, side) for side in (32, 32, 16)]
        >>> method(views, torch.arange(4)).loss.shape
        torch.Size([])
    """

    Config = SwAVConfig
    learner = SwAVLearner
    default_views = "swav"
    takes_small = True
