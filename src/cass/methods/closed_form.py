"""What cass computes before the first step: one target per image, and linear heads fitted to the targets.

Rows are read in blocks, in float64: beyond the embeddings and the targets, memory does not grow with the images.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import reduce

import torch
import torch.nn.functional as F
from torch import Tensor

RIDGE_PENALTIES = tuple(10.0**exponent for exponent in range(-3, 3))
"""Penalties that are tried for a head, per image and on standardised embeddings."""

ROW_BLOCK = 4096
"""Rows that are held in float64 at a time."""


def joint_targets(embeddings: Sequence[Tensor], *, width: int, power: float) -> Tensor:
    """Turn embeddings of the same images, one of each branch, into one target per image.

    Each branch's embeddings are L2-normalised, centred, and scaled to equal variance, so that no branch counts
    more than another; side by side they are turned to their principal axes, whose spreads are then evened out.

    Args:
        embeddings: (N, D) of each branch, N at least 2; the widths D may differ.
        width: Most axes W that are kept.
        power: Exponent on the axes' spreads, in [0, 1]: 1 keeps them, 0 makes all alike (whitening).

    Returns:
        float32 (N, W) of unit length; axes that the images do not fill are 0. The sign of an axis is a
        convention, and may differ between machines.
    """
    count = len(embeddings[0])
    mean = _total(block.sum(dim=0) for block in _unit_blocks(embeddings)) / count
    covariance = _total((block - mean).T @ (block - mean) for block in _unit_blocks(embeddings)) / count
    widths = [part.shape[1] for part in embeddings]
    spreads = [part.sum().sqrt().clamp(min=1e-12) for part in torch.split(covariance.diagonal(), widths)]
    scale = torch.cat([spread.expand(width) for spread, width in zip(spreads, widths, strict=True)])
    variances, axes = torch.linalg.eigh(covariance / torch.outer(scale, scale))  # ascending
    variances, axes = variances.flip(0)[:width], axes.flip(1)[:, :width]
    filled = variances > 1e-8 * variances[0]
    variances, axes = variances[filled], axes[:, filled]
    # An axis has no sign of its own: its largest part is made positive.
    axes = axes * axes.gather(0, axes.abs().argmax(dim=0, keepdim=True)).sign()
    onto = axes * variances.sqrt() ** (power - 1) / scale[:, None]
    targets = torch.zeros(count, width)
    start = 0
    for block in _unit_blocks(embeddings):
        targets[start : start + len(block), : len(variances)] = F.normalize((block - mean) @ onto, dim=1).float()
        start += len(block)
    return targets


def _unit_blocks(embeddings: Sequence[Tensor]) -> Iterator[Tensor]:
    """Yield float64 blocks of the branches' L2-normalised embeddings, side by side."""
    for blocks in zip(*(torch.split(part, ROW_BLOCK) for part in embeddings), strict=True):
        yield torch.cat([F.normalize(block.double(), dim=1) for block in blocks], dim=1)


def _total(parts: Iterable[Tensor]) -> Tensor:
    """Add tensors up, one at a time."""
    return reduce(torch.add, parts)


def closed_form_head(embeddings: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Fit the linear map from embeddings to targets by ridge regression with an unpenalised intercept.

    Args:
        embeddings: (N, D), N at least 2.
        targets: (N, W).

    Returns:
        Weight (W, D) and bias (W,) for raw embeddings. The penalty is the one of lowest leave-one-out error,
        which is exact also where D exceeds N: with Z the standardised embeddings and
        h_ii = 1/N + z_i (ZᵀZ + λI)⁻¹ z_iᵀ, the residual of an image left out is that of the fit to all images,
        divided by 1 - h_ii.

    Source:
        Allen, The Relationship between Variable Selection and Data Augmentation and a Method for Prediction,
        Technometrics 1974 (PRESS).
    """
    count = len(embeddings)
    blocks = list(zip(torch.split(embeddings, ROW_BLOCK), torch.split(targets, ROW_BLOCK), strict=True))
    centre = _total(x.double().sum(dim=0) for x, _ in blocks) / count
    mean = _total(y.double().sum(dim=0) for _, y in blocks) / count
    variance = _total((x.double() - centre).square().sum(dim=0) for x, _ in blocks) / (count - 1)
    scale = variance.sqrt() + 1e-3 * variance.mean().sqrt() + 1e-12

    def standardised() -> Iterator[tuple[Tensor, Tensor]]:
        for x, y in blocks:
            yield (x.double() - centre) / scale, y.double() - mean

    gram = _total(z.T @ z for z, _ in standardised())
    cross = _total(z.T @ y for z, y in standardised())
    strengths, axes = torch.linalg.eigh(gram)
    strengths = strengths.clamp(min=0)
    onto = axes.T @ cross  # (D, W)
    errors = dict.fromkeys(RIDGE_PENALTIES, 0.0)
    for z, y in standardised():
        turned = z @ axes
        for penalty in RIDGE_PENALTIES:
            shrunk = strengths + penalty * count
            leverage = 1 / count + turned.square() @ (1 / shrunk)
            left_out = (y - turned @ (onto / shrunk[:, None])) / (1 - leverage)[:, None]
            errors[penalty] += float(left_out.square().sum())
    best = min(RIDGE_PENALTIES, key=lambda penalty: errors[penalty])
    weight = (axes @ (onto / (strengths + best * count)[:, None])).T / scale  # (W, D)
    return weight.float(), (mean - weight @ centre).float()
