"""Logits to probabilities."""

from __future__ import annotations

from torch import Tensor

from cass.types import Task


def probabilities(logits: Tensor, *, task: Task) -> Tensor:
    """Turn logits (B, K) into probabilities (B, K): softmax for multi-class, sigmoids for multi-label."""
    return logits.float().softmax(dim=1) if task == "multiclass" else logits.float().sigmoid()
