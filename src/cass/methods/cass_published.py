"""CASS as published: a CNN and a Transformer see one augmented view and are pulled together.

Source: Singh & Cirrone, Efficient Representation Learning for Healthcare with Cross-Architectural
Self-Supervision, MLHC 2023 (PMLR 219:691-711), section 3; arXiv 2206.04170, 2301.12025.
"""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from cass.methods.base import METHODS, Method, MethodConfig
from cass.methods.cass import cass_loss
from cass.models.backbones import Branch
from cass.types import StepOutput, Views


@METHODS.register("cass", objective="cosine", default=False)
class CASSPublished(Method):
    """The published method. Nothing in it prevents collapse.

    The outputs compared are the ImageNet logits where both branches' weights bring a classifier of equal
    width, as published, else a fresh linear head of equal width on each branch.

    Args:
        config: Settings.
        branches: ``cnn`` and ``transformer``.

    Example:
        >>> import torch
        >>> from cass.models.backbones import BackboneSpec, build_branch
        >>> nets = {"cnn": "test_resnet", "transformer": "test_vit"}
        >>> branches = {name: build_branch(BackboneSpec(net, image_size=32), seed=0) for name, net in nets.items()}
        >>> method = CASSPublished(CASSPublished.Config(width=8), branches)
        >>> method([torch.rand(4, 3, 32, 32)], torch.arange(4)).loss.shape
        torch.Size([])
    """

    class Config(MethodConfig):
        """Settings of the published method."""

        width: int = Field(1000, ge=2, le=65536, description="Width of the fresh heads, where they are needed.")

    def __init__(self, config: Config, branches: dict[str, Branch]) -> None:
        super().__init__(config, branches)
        self.cnn, self.transformer = branches["cnn"], branches["transformer"]
        cnn_head, transformer_head = self.cnn.head, self.transformer.head
        self.compares = "fresh heads"
        if cnn_head and transformer_head and cnn_head.out_features == transformer_head.out_features:
            self.compares = "the classifiers of the weights"
        else:
            cnn_head = nn.Linear(self.cnn.num_features, config.width)
            transformer_head = nn.Linear(self.transformer.num_features, config.width)
        self.cnn_head, self.transformer_head = cnn_head, transformer_head
        # A branch carries no head from here on: what is exported is the backbone.
        self.cnn.head = self.transformer.head = None

    def forward(self, views: Views, positions: Tensor) -> StepOutput:
        """Pass one view through both branches and compare their outputs.

        Args:
            views: One view (B, C, S, S) of the images, in [0, 1].
            positions: Not used.

        Returns:
            The scalar loss in [0, 4], and the mean norm of each branch's outputs.
        """
        (view,) = views
        cnn = self.cnn_head(self.cnn.embed(view))  # (B, W)
        transformer = self.transformer_head(self.transformer.embed(view))  # (B, W)
        with torch.no_grad():
            logs = {"cnn_norm": cnn.float().norm(dim=1).mean()}
            logs["transformer_norm"] = transformer.float().norm(dim=1).mean()
        return StepOutput(cass_loss(cnn, transformer), logs)

    def trained(self) -> dict[str, tuple[Branch, nn.Module]]:
        """Return each branch with its head."""
        return {"cnn": (self.cnn, self.cnn_head), "transformer": (self.transformer, self.transformer_head)}

    def branches(self) -> dict[str, Branch]:
        """Return both branches."""
        return {"cnn": self.cnn, "transformer": self.transformer}
