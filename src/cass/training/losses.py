"""Losses of fine-tuning, and the class weights that go with them."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from cass.types import Task

Loss = Literal["focal", "cross_entropy", "bce"]


def class_weights(targets: Tensor, *, task: Task) -> Tensor:
    """Weight classes by their inverse frequency, so that rare classes count more, never less.

    Args:
        targets: Labels (N, K) of 0 and 1.
        task: Multi-class or multi-label.

    Returns:
        (K,) positive weights. Multi-class: N / (K·count), so that a balanced set has weight 1 everywhere.
        Multi-label: the ratio of negatives to positives of each label, for its positives alone, in
        [1/100, 100]. A class without an image has weight 1.
    """
    count = targets.sum(dim=0).float()
    if task == "multilabel":
        ratio = (len(targets) - count) / count.clamp(min=1)
        return torch.where(count > 0, ratio.clamp(0.01, 100.0), torch.ones_like(ratio))
    present = int((count > 0).sum())
    return torch.where(count > 0, len(targets) / (max(present, 1) * count.clamp(min=1)), torch.ones_like(count))


def classification_loss(
    logits: Tensor,
    targets: Tensor,
    *,
    loss: Loss,
    task: Task,
    weights: Tensor | None = None,
    alpha: float = 1.0,
    gamma: float = 2.0,
) -> Tensor:
    """Compute the loss of fine-tuning for each image.

    Args:
        logits: (B, K).
        targets: (B, K) of 0 and 1.
        loss: ``cross_entropy`` (softmax), ``bce`` (sigmoids) or ``focal``: the former for multi-class sets
            and the latter for multi-label ones, times alpha·(1 - p)^gamma, where p is the probability that
            was given to what is true.
        task: Multi-class or multi-label; multi-label always uses sigmoids.
        weights: (K,) class weights, or None.
        alpha: Factor of the focal loss.
        gamma: Exponent of the focal loss.

    Returns:
        (B,) losses of 0 or more.

    Source:
        Lin et al., Focal Loss for Dense Object Detection, ICCV 2017, equation 5.
    """
    logits, targets = logits.float(), targets.float()
    if task == "multiclass" and loss != "bce":
        log_p = F.log_softmax(logits, dim=1)
        value = -(targets * log_p).sum(dim=1)
        if loss == "focal":
            value = alpha * (1 - torch.exp(-value)).clamp(min=0) ** gamma * value
        return value if weights is None else value * (targets * weights).sum(dim=1)
    value = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")  # (B, K)
    if loss == "focal":
        value = alpha * (1 - torch.exp(-value)).clamp(min=0) ** gamma * value
    if weights is not None:
        value = value * torch.where(targets > 0, weights, torch.ones_like(weights))
    return value.mean(dim=1)


def pseudo_label_loss(
    logits: Tensor, targets: Tensor, *, shares: Tensor, task: Task, weights: Tensor | None = None
) -> Tensor:
    """Compute the mean cross-entropy with pseudo-labels.

    Args:
        logits: (B, K).
        targets: (B, K) probabilities.
        shares: (B, K) weights of the pseudo-labels, 0 or more; multi-class: the same for all classes of an image.
        task: Multi-class (softmax) or multi-label (sigmoids).
        weights: (K,) class weights, or None.

    Returns:
        Scalar of 0 or more: the mean over images, for multi-label sets over labels too.
    """
    logits, targets = logits.float(), targets.float()
    counted = torch.ones_like(targets[0]) if weights is None else weights
    if task == "multiclass":
        return -(counted * targets * shares * F.log_softmax(logits, dim=1)).sum(dim=1).mean()
    each = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    return (each * shares * (1 + targets * (counted - 1))).mean()
