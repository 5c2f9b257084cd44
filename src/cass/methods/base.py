"""The contract of a method: a plain module that maps views to a loss.

A method knows nothing of Lightning, optimisers, disks or logging; the engine calls it.
"""

from __future__ import annotations

from typing import Any, ClassVar

from torch import nn

from cass.config import Settings, build_config
from cass.models.backbones import Branch
from cass.registry import Registry
from cass.types import ParamGroup, StepOutput, Views


class MethodConfig(Settings):
    """What the settings of every method share: frozen and strict."""


class Method(nn.Module):
    """A pretraining method.

    Args:
        config: The method's own settings.
        branches: The networks it trains, by name.
    """

    Config: ClassVar[type[MethodConfig]] = MethodConfig
    default_views: ClassVar[str] = "paper"

    def __init__(self, config: Any, branches: dict[str, Branch]) -> None:
        super().__init__()
        self.config = config

    def forward(self, views: Views) -> StepOutput:
        """Compute the loss of one batch.

        Args:
            views: One float tensor (B, C, S, S) in [0, 1] for each view of the same B images.

        Returns:
            The scalar loss and what else is worth logging.
        """
        raise TypeError(f"{type(self).__name__} defines no forward")

    def branches(self) -> dict[str, Branch]:
        """Return what is fine-tuned and exported, by branch name."""
        raise TypeError(f"{type(self).__name__} defines no branches")

    def after_step(self, progress: float) -> None:
        """Do what follows an optimiser step, such as a moving average.

        Args:
            progress: Share of the run that is done, in [0, 1].
        """

    def param_groups(self) -> list[ParamGroup]:
        """Return the parameters to train, in groups of equal learning rate and weight decay."""
        return [{"params": list(self.parameters()), "lr_scale": 1.0, "weight_decay_scale": 1.0}]


METHODS: Registry[type[Method]] = Registry("method")


def build_method(name: str, settings: dict[str, Any], branches: dict[str, Branch]) -> Method:
    """Build a method by name.

    Args:
        name: Registered name.
        settings: The method's own settings by name.
        branches: The networks it trains, by name.

    Returns:
        The method.

    Raises:
        ConfigError: For an unknown method or setting.
    """
    kind = METHODS[name]
    return kind(build_config(kind.Config, settings), branches)
