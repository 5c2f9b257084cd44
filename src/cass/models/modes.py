"""Training and evaluation mode of networks, and of their batch norms alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


@contextmanager
def evaluation_mode(*modules: nn.Module) -> Iterator[None]:
    """Put modules into evaluation mode, and every part of them back into its own mode afterwards."""
    modes = {part: part.training for module in modules for part in module.modules()}
    for module in modules:
        module.eval()
    try:
        yield
    finally:
        for part, mode in modes.items():
            part.training = mode


def freeze_batch_norms(network: nn.Module, *, only_untrained: bool = False) -> None:
    """Let batch norms use their running statistics, which then stay as they are.

    Args:
        network: The network; its weights still learn.
        only_untrained: Whether this is for batch norms alone whose own weights do not learn.
    """
    for part in network.modules():
        if isinstance(part, _BatchNorm) and not (only_untrained and _learns(part)):
            part.eval()


def _learns(part: nn.Module) -> bool:
    """Tell whether any parameter of a part is trained; one without parameters counts as trained."""
    states = [parameter.requires_grad for parameter in part.parameters()]
    return not states or any(states)
