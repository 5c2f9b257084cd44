"""Fewer weights trained: last blocks, or attention projections; of the CNN the last stages and all norms."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from cass.methods.base import METHODS
from cass.methods.cass import CASS
from cass.methods.cass_neighbours import CASSNeighbours
from cass.models.backbones import Branch

CNN = ("bn", "blocks.5.", "blocks.6.", "conv_head")
TRANSFORMER = {
    "last": ("blocks.8.", "blocks.9.", "blocks.10.", "blocks.11.", "fc_norm", "norm."),
    "attention": (".attn.qkv", ".attn.proj", "norm"),
}


@METHODS.register("cass-partial")
class Partial(CASS):
    """The joint targets, learned by some of the weights of efficientnet_lite0 and a Transformer of 12 blocks.

    Source:
        Attention projections alone: arXiv 2503.18873.
    """

    class Config(CASS.Config):
        """Settings of the joint targets, and what is trained."""

        trained: Literal["last", "attention"] = Field("last", description="Weights of the Transformer.")

    def __init__(self, config: Config, branches: dict[str, Branch]) -> None:
        super().__init__(config, branches)
        for branch in branches.values():
            trained = TRANSFORMER[config.trained] if branch.is_transformer else CNN
            for name, parameter in branch.backbone.named_parameters():
                parameter.requires_grad_(any(part in name for part in trained))


@METHODS.register("cass-partial-neighbours")
class PartialNeighbours(CASSNeighbours, Partial):
    """The default objective, learned by the same weights."""

    class Config(CASSNeighbours.Config, Partial.Config):
        """Settings of both."""
