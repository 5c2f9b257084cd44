"""What methods share that train each branch by itself: one learner for each branch."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import torch
from lightly.models.utils import deactivate_requires_grad
from lightly.utils.scheduler import cosine_schedule
from torch import Tensor, nn

from cass.methods.base import Method, Optimization
from cass.models.backbones import Branch
from cass.types import Branches, StepOutput, Views

TOGETHER = torch.distributed.is_available()
"""Whether losses that need the whole batch may gather it from all processes."""
_FINE = 1_000_000


class Learner(nn.Module, ABC):
    """One branch with its heads and its loss.

    Args:
        branch: The network, without classifier.
        config: Settings of the method.
    """

    def __init__(self, branch: Branch, config: Any) -> None:
        super().__init__()
        self.config = config
        self.branch = branch

    @abstractmethod
    def forward(self, views: Views) -> Tensor:
        """Compute the loss of one batch.

        Args:
            views: (B, C, V, V) in [0, 1] for each view of the same images, those of full size first.

        Returns:
            Scalar.
        """

    def after_step(self, progress: float) -> None:
        """Do what follows an optimiser step; ``progress`` is the share of the run that is done."""

    def exported(self) -> Branch:
        """Return what is fine-tuned and exported."""
        return self.branch


class PerBranch(Method):
    """Trains each branch by itself; the loss is the sum of theirs.

    Args:
        config: Settings.
        branches: One network or both.
    """

    learner: ClassVar[type[Learner]]
    takes: ClassVar[tuple[Branches, ...]] = ("cnn", "transformer", "both")
    num_views = 2
    optimization = Optimization("adamw", lr=1e-4, weight_decay=0.05, warmup=0.1)

    def __init__(self, config: Any, branches: dict[str, Branch]) -> None:
        super().__init__(config, branches)
        self.learners = nn.ModuleDict()
        state = torch.get_rng_state()
        for name, branch in branches.items():
            branch.head = None
            torch.set_rng_state(state)  # a branch starts alike with and without the other
            self.learners[name] = self.learner(branch, config)

    def forward(self, views: Views, positions: Tensor) -> StepOutput:
        """Add up the branches' losses.

        Args:
            views: (B, C, V, V) in [0, 1] for each view of the same images, those of full size first.
            positions: Not used.

        Returns:
            The scalar loss, the sum over the branches, and each branch's.
        """
        losses = {name: learner(views) for name, learner in self._learners()}
        logs = {f"{name}_loss": loss.detach() for name, loss in losses.items()}
        return StepOutput(torch.stack(list(losses.values())).sum(), logs)

    def after_step(self, progress: float) -> None:
        """Let every learner follow."""
        for _, learner in self._learners():
            learner.after_step(progress)

    def branches(self) -> dict[str, Branch]:
        """Return what the learners export."""
        return {name: learner.exported() for name, learner in self._learners()}

    def trained(self) -> dict[str, tuple[Branch, nn.Module]]:
        """Return each branch with its learner."""
        return {name: (learner.branch, learner) for name, learner in self._learners()}

    def _learners(self) -> list[tuple[str, Any]]:
        return list(self.learners.items())


def frozen_copy(module: nn.Module) -> Any:
    """Copy a network as the start of its moving average, which no gradient reaches."""
    twin = copy.deepcopy(module)
    deactivate_requires_grad(twin)
    return twin


def rising_momentum(start: float, progress: float) -> float:
    """Return the momentum of a moving average on its cosine way from ``start`` to 1.

    Args:
        start: Momentum of the first step, in [0, 1].
        progress: Share of the run that is done, in [0, 1].
    """
    return float(cosine_schedule(round(_FINE * progress), _FINE + 1, start, 1.0))


def by_size(network: Callable[[Tensor], Tensor], views: Sequence[Tensor]) -> list[Tensor]:
    """Pass views through a network, those of equal size together.

    Args:
        network: Maps (B, C, V, V) to (B, D).
        views: (B, C, V, V) each, equal sizes side by side.

    Returns:
        (B, D) for each view.
    """
    outputs: list[Tensor] = []
    for side in dict.fromkeys(view.shape[-1] for view in views):
        alike = [view for view in views if view.shape[-1] == side]
        outputs.extend(network(torch.cat(alike)).chunk(len(alike)))
    return outputs
