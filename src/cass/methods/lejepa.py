"""LeJEPA: views are pulled to their mean while projections are made an isotropic Gaussian.

Source: Balestriero & LeCun, LeJEPA: Provable and Scalable Self-Supervised Learning Without the Heuristics;
arXiv 2511.08544.
"""

from __future__ import annotations

import torch
from lightly.loss.lejepa_loss import LeJEPALoss
from lightly.models.modules.heads import LeJEPAProjectionHead
from pydantic import Field
from torch import Tensor

from cass.methods.base import METHODS, MethodConfig
from cass.methods.per_branch import TOGETHER, Learner, PerBranch, by_size
from cass.models.backbones import Branch
from cass.types import Views


class LeJEPAConfig(MethodConfig):
    """Settings of LeJEPA."""

    regularization: float = Field(0.05, ge=0, le=1, description="Weight of the Gaussian over the invariance.")


class LeJEPALearner(Learner):
    """One network with a projector."""

    def __init__(self, branch: Branch, config: LeJEPAConfig) -> None:
        super().__init__(branch, config)
        self.projector = LeJEPAProjectionHead(branch.num_features)
        self.loss = LeJEPALoss(config.regularization, gather_distributed=TOGETHER)

    def forward(self, views: Views) -> Tensor:
        """Compare all views with the large views' mean, and their distribution with an isotropic Gaussian.

        Args:
            views: Two large views (B, C, S, S) of the same images, in [0, 1], then any number of small ones.

        Returns:
            Scalar loss, 0 or more.
        """
        outputs = by_size(lambda images: self.projector(self.branch.embed(images)), views)
        large, rest = torch.stack(outputs[:2]), outputs[2:]
        # Without small views the large ones stand for them: all views are pulled to the mean of the large ones.
        loss: Tensor = self.loss(local_proj=torch.stack(rest) if rest else large, global_proj=large)
        return loss


@METHODS.register("lejepa")
class LeJEPA(PerBranch):
    """LeJEPA with multi-crop, each branch by itself.

    Example:
        >>> import torch
        >>> from cass.models.backbones import BackboneSpec, build_branch
        >>> branch = build_branch(BackboneSpec("test_vit", image_size=32, args={"dynamic_img_size": True}), seed=0)
        >>> method = LeJEPA(LeJEPAConfig(), {"transformer": branch})
        >>> views = [torch.rand(4, 3, side, side) for side in (32, 32, 16)]
        >>> method(views, torch.arange(4)).loss.shape
        torch.Size([])
    """

    Config = LeJEPAConfig
    learner = LeJEPALearner
    default_views = "dino"
    takes_small = True
