"""MAE: a Transformer sees a quarter of the patches and a small decoder reconstructs the rest.

Source: He et al., Masked Autoencoders Are Scalable Vision Learners, CVPR 2022; arXiv 2111.06377.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from lightly.models.modules import MaskedVisionTransformerTIMM
from lightly.models.modules.masked_vision_transformer_decoder_timm import MaskedVisionTransformerDecoderTIMM
from lightly.models.utils import (
    get_at_index,
    normalize_mean_var,
    patchify,
    random_token_mask,
    repeat_token,
    set_at_index,
)
from pydantic import Field
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from cass.errors import ModelError
from cass.methods.base import METHODS, MethodConfig
from cass.methods.per_branch import Learner, PerBranch
from cass.models.backbones import Branch
from cass.types import Views


class MAEConfig(MethodConfig):
    """Settings of MAE."""

    mask_ratio: float = Field(0.75, gt=0, lt=1, description="Share of the patches that are hidden.")
    width: int = Field(512, ge=16, le=2048, multiple_of=16, description="Width of the decoder.")
    depth: int = Field(8, ge=1, le=32, description="Blocks of the decoder.")


class MAELearner(Learner):
    """A Transformer as encoder, with a decoder; it reconstructs the pixels, normalised patch by patch."""

    def __init__(self, branch: Branch, config: MAEConfig) -> None:
        super().__init__(branch, config)
        vit: Any = branch.backbone
        if not isinstance(vit, VisionTransformer) or vit.pos_embed is None:
            raise ModelError(
                f"--method mae cannot train --transformer {branch.spec.name!r}",
                "Use a plain vision Transformer, such as vit_base_patch16_224.",
            )
        # What learns of the encoder beyond the blocks (a pooling with weights of its own) is not reached.
        for part in (vit.fc_norm, vit.attn_pool):
            if part is not None:
                part.requires_grad_(False)
        self.encoder = MaskedVisionTransformerTIMM(
            vit, weight_initialization="skip", pos_embed_initialization="skip"
        )
        self.encoder.mask_token.requires_grad_(False)  # masked patches are dropped instead
        self.embed = nn.Linear(vit.embed_dim, config.width)
        self.decoder = MaskedVisionTransformerDecoderTIMM(
            vit.patch_embed.num_patches,
            config.width,
            depth=config.depth,
            num_heads=16,
            num_prefix_tokens=vit.num_prefix_tokens,
        )
        self.patch_size = int(vit.patch_embed.patch_size[0])
        self.predict = nn.Linear(config.width, self.patch_size**2 * branch.spec.in_chans)

    def forward(self, views: Views) -> Tensor:
        """Reconstruct the hidden patches of one view.

        Args:
            views: One view (B, C, S, S) of the images, in [0, 1].

        Returns:
            Scalar loss, 0 or more: the mean squared error of the pixels, normalised patch by patch.
        """
        (view,) = views
        images = (view - self.branch.mean) / self.branch.std
        prefix = int(self.decoder.num_prefix_tokens)
        length = self.encoder.sequence_length
        keep, hidden = random_token_mask(
            (len(images), length - prefix),
            mask_ratio=self.config.mask_ratio,
            mask_class_token=True,
            device=images.device,
        )
        # Class and register tokens come first and are never hidden.
        leading = torch.arange(prefix, device=keep.device).expand(len(images), prefix)
        shown = torch.cat([leading, keep + prefix], dim=1)
        seen = self.embed(self.encoder.encode(images, idx_keep=shown))
        tokens = repeat_token(self.decoder.mask_token, (len(images), length)).type_as(seen)
        tokens = set_at_index(tokens, shown, seen)
        drawn = self.predict(get_at_index(self.decoder(tokens), hidden + prefix))
        wanted = get_at_index(patchify(images, self.patch_size), hidden)
        return F.mse_loss(drawn.float(), normalize_mean_var(wanted.float(), dim=-1))


@METHODS.register("mae")
class MAE(PerBranch):
    """MAE, of a Transformer alone.

    Example:
        >>> import torch
        >>> from cass.models.backbones import BackboneSpec, build_branch
        >>> branch = build_branch(BackboneSpec("test_vit", image_size=32), seed=0)
        >>> method = MAE(MAEConfig(width=32, depth=1), {"transformer": branch})
        >>> views = [torch.rand(4, 3, 32, 32)]
        >>> method(views, torch.arange(4)).loss.shape
        torch.Size([])
    """

    Config = MAEConfig
    learner = MAELearner
    takes = ("transformer",)
    num_views = 1
    default_views = "mae"
