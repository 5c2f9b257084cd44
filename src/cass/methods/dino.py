"""DINO: a student matches a moving average of itself over crops of different size.

Source: Caron et al., Emerging Properties in Self-Supervised Vision Transformers, ICCV 2021; arXiv 2104.14294.
"""

from __future__ import annotations

import warnings

import torch
from lightly.loss import DINOLoss
from lightly.models.modules import DINOProjectionHead
from lightly.models.utils import update_momentum
from pydantic import Field
from torch import Tensor
from torch.nn.utils import remove_weight_norm
from torch.nn.utils.parametrizations import weight_norm

from cass.methods.base import METHODS, MethodConfig
from cass.methods.per_branch import Learner, PerBranch, by_size, frozen_copy, rising_momentum
from cass.models.backbones import Branch
from cass.types import Views


class DINOConfig(MethodConfig):
    """Settings of DINO."""

    width: int = Field(65536, ge=2, le=262144, description="Width of the head's output.")
    momentum: float = Field(0.996, ge=0, le=1, description="Momentum of the teacher at the start; it rises to 1.")
    teacher_temperature: float = Field(0.04, gt=0, le=1, description="Temperature of the teacher.")


class DINOLearner(Learner):
    """Student and teacher; the teacher sees the two large crops, the student all. The teacher is exported."""

    def __init__(self, branch: Branch, config: DINOConfig) -> None:
        super().__init__(branch, config)
        self.head = _head(branch, width=config.width)
        self.teacher: Branch = frozen_copy(branch)
        self.teacher_head = frozen_copy(self.head)
        temperature = config.teacher_temperature
        self.loss = DINOLoss(config.width, warmup_teacher_temp=temperature, teacher_temp=temperature)

    def forward(self, views: Views) -> Tensor:
        """Compare the student's output for every view with the teacher's for the other large views.

        Args:
            views: Two large views (B, C, S, S) of the same images, in [0, 1], then any number of small ones.

        Returns:
            Scalar loss, 0 or more: the mean cross-entropy over the pairs of views.
        """
        with torch.no_grad():
            teacher = by_size(lambda images: self.teacher_head(self.teacher.embed(images)), views[:2])
        student = by_size(lambda images: self.head(self.branch.embed(images)), views)
        loss: Tensor = self.loss(teacher, student)
        return loss

    def after_step(self, progress: float) -> None:
        """Move the teacher towards the student."""
        momentum = rising_momentum(self.config.momentum, progress)
        with torch.no_grad():
            update_momentum(self.branch, self.teacher, momentum)
            update_momentum(self.head, self.teacher_head, momentum)

    def exported(self) -> Branch:
        """Return the teacher, as the paper evaluates it."""
        return self.teacher


def _head(branch: Branch, *, width: int) -> DINOProjectionHead:
    """Build lightly's head, its last layer normalised in the way that can be copied."""
    with warnings.catch_warnings(action="ignore", category=FutureWarning):  # of the old way
        head = DINOProjectionHead(branch.num_features, output_dim=width, batch_norm=branch.patch_size is None)
    remove_weight_norm(head.last_layer)
    weight_norm(head.last_layer)
    head.last_layer.parametrizations.weight.original0.requires_grad_(False)  # the lengths stay 1
    return head


@METHODS.register("dino")
class DINO(PerBranch):
    """DINO with multi-crop, each branch by itself.

    Example:
        >>> import torch
        >>> from cass.models.backbones import BackboneSpec, build_branch
        >>> branch = build_branch(BackboneSpec("test_vit", image_size=32, args={"dynamic_img_size": True}), seed=0)
        >>> method = DINO(DINOConfig(width=64), {"transformer": branch})
        >>> views = [torch.rand(4, 3, side, side) for side in (32, 32, 16)]
        >>> method(views, torch.arange(4)).loss.shape
        torch.Size([])
    """

    Config = DINOConfig
    learner = DINOLearner
    default_views = "dino"
    takes_small = True
