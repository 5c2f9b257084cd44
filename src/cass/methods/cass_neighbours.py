"""Joint neighbours: each branch predicts from a view which other images the image resembles.

The default objective of cass. Its targets are the joint targets of :mod:`cass.methods.cass`, fixed before the
first step and spread by construction; docs/objective.md has the measurements behind it.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from cass.methods.base import METHODS
from cass.methods.cass import CASS

COMPARED = 8192
"""Most images that every image is compared with; of larger sets, a fixed random choice and the batch itself."""


def neighbours_loss(outputs: Tensor, targets: Tensor, others: Tensor, *, temperature: float) -> Tensor:
    """Compare how similar outputs and targets are to the targets of other images.

    Both similarities are turned into distributions over the other images by a softmax; the loss is the
    Kullback-Leibler divergence of the outputs' distribution from the targets', averaged over the batch.

    Args:
        outputs: Outputs of a branch (B, W), of any length.
        targets: Targets of the same images (B, W), of unit length.
        others: Targets (N, W) of the images that both are compared with, of unit length.
        temperature: Temperature of both distributions, above 0.

    Returns:
        Scalar of 0 or more: 0 where each output points along its target.

    Source:
        Fang et al., SEED: Self-supervised Distillation for Visual Representation, ICLR 2021 (arXiv 2101.04731),
        section 3; here with one temperature, and with joint targets in the place of a teacher's queue.
    """
    with torch.autocast(outputs.device.type, enabled=False):
        found = F.normalize(outputs.float(), dim=1) @ others.T / temperature
        wanted = targets @ others.T / temperature
    return F.kl_div(found.log_softmax(dim=1), wanted.log_softmax(dim=1), reduction="batchmean", log_target=True)


@METHODS.register("cass", objective="neighbours")
class CASSNeighbours(CASS):
    """Each branch predicts, from one augmented view, how similar the image is to the other training images.

    Targets and heads are those of :class:`cass.methods.cass.CASS`. The similarities of a branch's output to the
    targets of the other images are to be those of the image's own target (:func:`neighbours_loss`): an output is
    told which images must not be confused with its own, and which ones are alike.

    Example:
        >>> import torch
        >>> from cass.models.backbones import BackboneSpec, build_branch
        >>> nets = {"cnn": "test_resnet", "transformer": "test_vit"}
        >>> branches = {name: build_branch(BackboneSpec(net, image_size=32), seed=0) for name, net in nets.items()}
        >>> method = CASSNeighbours(CASSNeighbours.Config(width=8), branches)
        >>> embeddings = {name: torch.randn(6, branch.num_features) for name, branch in branches.items()}
        >>> method.begin(embeddings, lambda: torch.randn(6, 20))
        >>> method([torch.rand(4, 3, 32, 32)], torch.arange(4)).loss.shape
        torch.Size([])
    """

    class Config(CASS.Config):
        """Settings of the joint targets, and of the similarities to them."""

        temperature: float = Field(
            0.1, gt=0, le=10, description="Temperature of the similarities: the lower, the fewer images count."
        )

    def compared(self, device: torch.device) -> Tensor:
        """Return the targets (M, W), M at most :data:`COMPARED`, that every image is compared with."""
        chosen = self._targets.chosen
        if device not in chosen:
            rows = torch.randperm(len(self.targets), generator=torch.Generator().manual_seed(0))[:COMPARED]
            chosen[device] = self.targets[rows.sort().values].to(device)
        return chosen[device]

    def comparison(self, targets: Tensor) -> Callable[[Tensor], Tensor]:
        """Return the loss of a branch, 0 or more, as a function of its outputs (B, W).

        Args:
            targets: Targets (B, W) of the images, of unit length.
        """
        others = self.compared(targets.device)
        if len(self.targets) > COMPARED:  # an image that is not among them has itself for a neighbour too
            others = torch.cat([others, targets])
        return lambda outputs: neighbours_loss(outputs, targets, others, temperature=self.config.temperature)
