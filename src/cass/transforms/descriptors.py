"""Gradient histograms: hand-crafted edge and texture features of an image."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

SCALES = (0.6 / 64, 1.2 / 64, 2.4 / 64, 4.8 / 64)
"""Widths of the Gaussian before gradients are taken, as shares of the side."""

CELLS, DIRECTIONS = 4, 8


def gradient_histograms(images: Tensor) -> Tensor:
    """Describe images by the directions and strengths of their gradients at several scales, and their colours.

    At each scale the mean of the channels is blurred; in each of 4 x 4 cells the gradients' directions
    (undirected, 8 bins) are counted by their strengths. Histograms are scaled to unit length over the image and
    their roots taken; beside them stand the log of that length, and the log strength of the band between this
    scale and one 1.6 times as wide in each cell. Last come the cells' mean colours.

    Args:
        images: (B, C, S, S) floats in [0, 1], S of 16 or more.

    Returns:
        (B, 4 * (8 * 16 + 1 + 16) + 16 * C).

    Source:
        Dalal & Triggs, Histograms of Oriented Gradients, CVPR 2005. As targets of self-supervised learning: Wei
        et al., Masked Feature Prediction, CVPR 2022.
    """
    grey = images.mean(dim=1, keepdim=True)
    parts = []
    for scale in SCALES:
        blurred = _blur(grey, scale * images.shape[-1])
        across = blurred[..., 1:-1, 2:] - blurred[..., 1:-1, :-2]
        down = blurred[..., 2:, 1:-1] - blurred[..., :-2, 1:-1]
        strength = (across.square() + down.square() + 1e-8).sqrt()
        turn = torch.remainder(torch.atan2(down, across), math.pi) / math.pi * DIRECTIONS
        # A direction counts for the two bins beside it, by its nearness.
        bins = torch.arange(DIRECTIONS, device=images.device).view(1, -1, 1, 1)
        away = (turn - bins).abs()
        near = (1 - torch.minimum(away, DIRECTIONS - away)).clamp(min=0)  # (B, 8, S - 2, S - 2)
        counts = F.adaptive_avg_pool2d(near * strength, CELLS)
        length = counts.square().sum(dim=(1, 2, 3), keepdim=True).sqrt() + 1e-6
        band = (blurred - _blur(grey, 1.6 * scale * images.shape[-1])).abs()
        parts += [(counts / length).sqrt(), length.log(), (F.adaptive_avg_pool2d(band, CELLS) + 1e-4).log()]
    parts.append(F.adaptive_avg_pool2d(images, CELLS))
    return torch.cat([part.flatten(1) for part in parts], dim=1)


def _blur(images: Tensor, sigma: float) -> Tensor:
    from kornia.filters import gaussian_blur2d

    width = 2 * math.ceil(3 * sigma) + 1
    blurred: Tensor = gaussian_blur2d(images, (width, width), (sigma, sigma))
    return blurred
