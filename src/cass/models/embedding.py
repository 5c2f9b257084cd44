"""Passing images through a branch without training it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from cass.models.backbones import Branch
from cass.models.modes import evaluation_mode

Output = Callable[[Branch, Tensor], Tensor]
"""Function of a branch and images (B, C, S, S) that returns (B, W)."""


def embed_batch(branch: Branch, images: Tensor, *, output: Output = Branch.embed) -> Tensor:
    """Pass one batch through a branch, in 32-bit floats whatever the run's precision.

    Args:
        branch: The branch; it is to be in evaluation mode.
        images: (B, C, S, S) in [0, 1], on the branch's device.
        output: What is computed; default: embeddings.

    Returns:
        float32 (B, W) on the CPU.
    """
    device = images.device.type
    with torch.no_grad(), torch.autocast(device, enabled=False):
        return output(branch, images.contiguous(memory_format=torch.channels_last)).float().cpu()


def embed_batches(branch: Branch, batches: Iterable[Tensor]) -> Tensor:
    """Embed batches, one after another, in evaluation mode; the branch's mode is restored.

    Args:
        branch: The branch.
        batches: (B, C, S, S) in [0, 1] each, on the branch's device; at least one.

    Returns:
        Embeddings, float32 (N, D), on the CPU.
    """
    with evaluation_mode(branch):
        return torch.cat([embed_batch(branch, images) for images in batches])
