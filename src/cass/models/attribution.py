"""Where a network looks: heat maps of one class by gradients."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cass.errors import ModelError
from cass.models.backbones import Branch
from cass.models.modes import evaluation_mode

LEAST_PLACES = 14
"""Places along a side of a CNN's map. The last stage of most networks has 7 x 7 or fewer, too coarse for small
findings (measured by benchmarks/explanations.py)."""


def heat_maps(branch: Branch, images: Tensor, classes: Tensor) -> Tensor:
    """Compute where a fine-tuned branch finds evidence of a class.

    Args:
        branch: The branch, with a head.
        images: (B, C, S, S) in [0, 1], on the branch's device.
        classes: (B,) class of each image to explain.

    Returns:
        (B, S, S) on the CPU, in [0, 1]: 1 where the evidence is strongest; all 0 where there is none.

    Raises:
        ModelError: The network has neither a map of features nor attention that could be read.

    Source:
        CNNs: HiResCAM (Draelos & Carin, arXiv 2011.08891, section 3.2) on the last stage with 14 x 14 places or
        more. Transformers: gradient-weighted attention, propagated through the layers (Chefer, Gur & Wolf, ICCV
        2021, equations 5 and 6).
    """
    with evaluation_mode(branch), torch.enable_grad():
        attentions = _attention_modules(branch.backbone)
        maps = (
            _by_attention(branch, images, classes, attentions)
            if attentions
            else _by_features(branch, images, classes)
        )
    size = images.shape[-2:]
    full = F.interpolate(maps[:, None], size=size, mode="bilinear", align_corners=False)[:, 0].detach()
    top = full.flatten(1).amax(dim=1).clamp(min=1e-12)
    return (full / top[:, None, None]).clamp(0, 1).cpu()


def _score(branch: Branch, embedding: Tensor, classes: Tensor) -> Tensor:
    """Sum the logits of the classes to explain."""
    if branch.head is None:
        raise ModelError("A network without classes has nothing to explain", "Pass a run of cass finetune.")
    logits: Tensor = branch.head(embedding)
    return logits.gather(1, classes[:, None]).sum()


def _by_features(branch: Branch, images: Tensor, classes: Tensor) -> Tensor:
    """Sum features times their gradients over the channels; returns (B, h, w)."""
    backbone: Any = branch.backbone
    kept: list[Tensor] = []
    stage = _stage(backbone, images.shape[-1])
    hook = stage.register_forward_hook(lambda module, given, output: kept.append(output)) if stage else None
    try:
        features = backbone.forward_features((images - branch.mean) / branch.std)
        score = _score(branch, backbone.forward_head(features), classes)
    finally:
        if hook is not None:
            hook.remove()
    shown = kept[0] if kept and isinstance(kept[0], Tensor) else features
    if shown.ndim == 3 and kept:  # patch tokens, without a map
        (gradient,) = torch.autograd.grad(score, shown)
        tokens = F.relu((gradient * shown).sum(dim=2))
        side = round(tokens.shape[1] ** 0.5)
        if side * side == tokens.shape[1]:
            return tokens.reshape(len(images), side, side)
    if shown.ndim != 4:
        raise ModelError(
            f"{branch.spec.name!r} has no map of features and no attention that can be read",
            "Choose a convolutional network or a plain vision Transformer.",
        )
    (gradient,) = torch.autograd.grad(score, shown)
    last = shown.shape[1] <= shown.shape[3] and shown.shape[2] != shown.shape[3]  # as in Swin
    return F.relu((gradient * shown).sum(dim=3 if last else 1))


def _stage(backbone: Any, side: int) -> nn.Module | None:
    """Return the last stage whose map has at least 14 x 14 places; None for the network's last features.

    Of a Transformer whose attention cannot be read, such as XCiT, it is the last block over patches.
    """
    if hasattr(backbone, "cls_attn_blocks"):
        blocks: nn.Module = backbone.blocks[-1]
        return blocks
    for info in reversed(list(getattr(backbone, "feature_info", []))):
        if side // info["reduction"] >= LEAST_PLACES:
            module: nn.Module = backbone.get_submodule(info["module"])
            return module
    return None


def _by_attention(branch: Branch, images: Tensor, classes: Tensor, attentions: list[nn.Module]) -> Tensor:
    """Propagate gradient-weighted attention from the pooled tokens to the patches; returns (B, h, w)."""
    backbone: Any = branch.backbone
    with _watched(attentions) as weights:
        score = _score(branch, branch.embed(images), classes)
        gradients = torch.autograd.grad(score, weights)
    count = weights[0].shape[-1]
    relevance = torch.eye(count, device=images.device).expand(len(images), count, count).clone()
    for weight, gradient in zip(weights, gradients, strict=True):
        step = F.relu(weight * gradient).mean(dim=1)
        relevance = relevance + step @ relevance
    prefix = int(getattr(backbone, "num_prefix_tokens", 0))
    pooled = (
        relevance[:, 0] if getattr(backbone, "global_pool", "") == "token" else relevance[:, prefix:].mean(dim=1)
    )
    height, width = _grid(backbone, count - prefix)
    return pooled[:, prefix:].reshape(len(images), height, width)


def _grid(backbone: Any, patches: int) -> tuple[int, int]:
    """Return how the patches lie."""
    height, width = getattr(backbone.patch_embed, "grid_size", None) or (0, 0)
    if height * width != patches:
        height = width = round(patches**0.5)
    return int(height), int(width)


def _attention_modules(backbone: nn.Module) -> list[nn.Module]:
    """Return the attention layers whose weights timm can show, each over all tokens."""
    if not hasattr(backbone, "blocks") or not hasattr(backbone, "patch_embed"):
        return []
    found = [part for part in backbone.modules() if hasattr(part, "fused_attn") and hasattr(part, "attn_drop")]
    return found if len(found) == len(list(backbone.blocks)) else []  # type: ignore[arg-type]


@contextlib.contextmanager
def _watched(attentions: list[nn.Module]) -> Iterator[list[Tensor]]:
    """Keep the attention weights (B, H, N, N) of each layer of the next forward pass, with their gradients."""
    weights: list[Tensor] = []

    def keep(module: nn.Module, given: Any, output: Tensor) -> None:
        weights.append(output)

    parts: list[Any] = list(attentions)
    fused = [part.fused_attn for part in parts]
    hooks = [part.attn_drop.register_forward_hook(keep) for part in parts]
    try:
        for part in parts:
            part.fused_attn = False
        yield weights
    finally:
        for part, was in zip(parts, fused, strict=True):
            part.fused_attn = was
        for hook in hooks:
            hook.remove()
