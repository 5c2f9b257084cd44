"""Which kernels a CPU uses for bf16: where torch's own choice is slow, another one, while training lasts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

LONGEST = 400
"""Most tokens of a Transformer for which attention is computed step by step: the scores of all pairs are kept."""


@contextmanager
def fast_cpu_kernels(module: nn.Module, *, on: bool) -> Iterator[None]:
    """Train on a CPU in bf16 without the kernels that are slower than those they replace.

    Depthwise convolutions are computed in 32-bit floats: their gradient in bf16 takes longer than all other layers
    of a CNN together. Attention is computed step by step instead of by the fused kernel, whose gradient in bf16
    takes as long as the rest of a small Transformer; that keeps the scores, B × heads × N × N, so that it is done
    up to :data:`LONGEST` tokens only.

    Args:
        module: What is trained; restored at the end.
        on: Whether the run is one on a CPU in bf16; otherwise nothing is done.
    """
    parts: list[Any] = list(module.modules()) if on else []
    convolutions: list[tuple[Any, Any]] = [
        (part, type(part)) for part in parts if isinstance(part, nn.Conv2d) and part.groups > 1
    ]
    short = max((getattr(part, "num_patches", None) or 0 for part in parts), default=0) <= LONGEST
    attention = [part for part in parts if short and getattr(part, "fused_attn", False) is True]
    try:
        for part, kind in convolutions:
            part.__class__ = _in_float32(kind)
        for part in attention:
            part.fused_attn = False
        yield
    finally:
        for part, kind in convolutions:
            part.__class__ = kind
        for part in attention:
            part.fused_attn = True


@cache
def _in_float32(kind: Any) -> Any:
    """Derive a convolution that leaves autocast; a class of its own, so that copies of a module keep it."""

    class InFloat32(kind):
        def forward(self, images: Tensor) -> Tensor:
            with torch.autocast(images.device.type, enabled=False):
                result: Tensor = super().forward(images.float())
            return result

    return InFloat32
