"""A linear probe as the head of a branch, and the temperature that is folded into a head."""

from __future__ import annotations

import torch
from torch import nn

from cass.evaluation.probe import Probe


def head_of(probe: Probe) -> nn.Linear:
    """Make a head, D to K, of a probe."""
    classes, width = probe.weight.shape
    head = nn.Linear(width, classes)
    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(probe.weight))
        head.bias.copy_(torch.from_numpy(probe.bias))
    return head


def fold_temperature(head: nn.Linear, temperature: float) -> None:
    """Divide the logits of a head by a temperature, for good: its weights and biases are divided."""
    with torch.no_grad():
        head.weight.div_(temperature)
        head.bias.div_(temperature)
