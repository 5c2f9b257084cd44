"""Joint targets: each branch predicts from a view how both branches together embedded the whole image.

The targets are fixed before the first step and spread by construction, so constant outputs do not minimise the
loss. The default objective, :mod:`cass.methods.cass_neighbours`, compares similarities to these targets;
docs/objective.md has the search behind both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from cass.methods.base import METHODS, Method, MethodConfig, Optimization
from cass.methods.closed_form import closed_form_head, joint_targets
from cass.models.backbones import Branch
from cass.types import StepOutput, Views

_RANDOM_START = (
    "Both branches are randomly initialised, so they learn from edges and textures instead of from what a "
    "pretrained network sees. Pretrained weights, even of photographs, are a better start: --cnn-weights, "
    "--transformer-weights."
)


def cass_loss(first: Tensor, second: Tensor) -> Tensor:
    """Compare two batches of outputs: 2 - 2·cos, averaged over the batch.

    Args:
        first: Outputs of one branch (B, W).
        second: Outputs of the other branch (B, W).

    Returns:
        Scalar in [0, 4]: 0 for equal directions, 2 for orthogonal ones, 4 for opposite ones. It depends on
        directions alone, treats both branches alike, and is as low as can be where both outputs are
        constant: nothing in it prevents collapse.
    """
    first, second = first.float(), second.float()
    return (2.0 - 2.0 * (F.normalize(first, dim=1) * F.normalize(second, dim=1)).sum(dim=1)).mean()


class _Fixed:
    """A tensor that training never changes: copies of a method share it, and it is no part of its state."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor
        self.chosen: dict[torch.device, Tensor] = {}  # rows of it, where they are needed

    def __deepcopy__(self, memo: dict[int, Any]) -> _Fixed:
        return self


@METHODS.register("cass", objective="joint", default=False)
class CASS(Method):
    """Each branch predicts, from one augmented view, the joint target of the image.

    Before the first step both branches embed every image as it is. Their embeddings together make the targets
    (:func:`cass.methods.closed_form.joint_targets`), which stay fixed, and each branch's linear head is fitted to
    them (:func:`cass.methods.closed_form.closed_form_head`), so that no random head disturbs pretrained branches.
    Then one pass per step: the loss is the published one, with the target in the place of the other branch's
    output. Only pretrained branches make targets: a randomly initialised one has nothing to teach. Where no
    branch is pretrained, the targets are made of gradient histograms of the images.

    Args:
        config: Settings.
        branches: ``cnn`` and ``transformer``.

    Example:
        >>> import torch
        >>> from cass.models.backbones import BackboneSpec, build_branch
        >>> nets = {"cnn": "test_resnet", "transformer": "test_vit"}
        >>> branches = {name: build_branch(BackboneSpec(net, image_size=32), seed=0) for name, net in nets.items()}
        >>> method = CASS(CASS.Config(width=8), branches)
        >>> embeddings = {name: torch.randn(6, branch.num_features) for name, branch in branches.items()}
        >>> method.begin(embeddings, lambda: torch.randn(6, 20))
        >>> method.targets.shape
        torch.Size([6, 8])
        >>> method([torch.rand(4, 3, 32, 32)], torch.arange(4)).loss.shape
        torch.Size([])
    """

    class Config(MethodConfig):
        """Settings of the joint targets."""

        width: int = Field(256, ge=2, le=4096, description="Most dimensions of a target.")
        power: float = Field(
            0.5,
            ge=0,
            le=1,
            description="Exponent on the spread of the targets' axes: 0 evens them out, 1 keeps them.",
        )

    default_views = "general"
    uses_start = True
    decays_heads = False
    optimization = Optimization("adamw", lr=3e-4, weight_decay=0.05, warmup=0.1)

    def __init__(self, config: Config, branches: dict[str, Branch]) -> None:
        super().__init__(config, branches)
        self.nets = nn.ModuleDict(branches)
        self.heads = nn.ModuleDict(
            {name: nn.Linear(branch.num_features, config.width) for name, branch in branches.items()}
        )
        for branch in branches.values():
            branch.head = None
        self._targets = _Fixed(torch.empty(0, config.width))

    @property
    def targets(self) -> Tensor:
        """The targets (N, W) of the training images, on the CPU."""
        return self._targets.tensor

    @targets.setter
    def targets(self, targets: Tensor) -> None:
        self._targets = _Fixed(targets)

    def start_note(self) -> str:
        """Say that the targets will be gradient histograms where no branch is pretrained."""
        return "" if any(branch.spec.weights != "none" for _, branch in self._nets()) else _RANDOM_START

    def begin(self, embeddings: Mapping[str, Tensor], describe: Callable[[], Tensor]) -> None:
        """Make the targets of the N training images and fit the heads to them.

        Args:
            embeddings: By branch name, (N, D). Those of pretrained branches make the targets.
            describe: Returns gradient histograms (N, H), which make them where no branch is pretrained.
        """
        taught = [embeddings[name] for name, branch in self._nets() if branch.spec.weights != "none"]
        self.targets = joint_targets(taught or [describe()], width=self.config.width, power=self.config.power)
        self.fit_heads(embeddings)

    @torch.no_grad()
    def fit_heads(self, embeddings: Mapping[str, Tensor]) -> None:
        """Fit the heads of some branches to the targets.

        Args:
            embeddings: By branch name, (N, D).
        """
        for name, embedding in embeddings.items():
            weight, bias = closed_form_head(embedding, self.targets)
            head: Any = self.heads[name]
            head.weight.copy_(weight)
            head.bias.copy_(bias)

    def start_state(self) -> dict[str, Tensor]:
        """Return the targets."""
        return {"targets": self.targets}

    def load_start_state(self, state: Mapping[str, Tensor]) -> None:
        """Take the targets of the run that continues, or of the first process."""
        self.targets = state["targets"].cpu()

    def forward(self, views: Views, positions: Tensor) -> StepOutput:
        """Pass one view through both branches and compare each with the images' targets.

        Args:
            views: One view (B, C, S, S) of the images, in [0, 1].
            positions: Positions (B,) of the images among the N training images of :meth:`begin`.

        Returns:
            The scalar loss, the mean over the branches, and each branch's.
        """
        (view,) = views
        targets = self.targets[positions.cpu()].to(view.device, non_blocking=True)
        compare = self.comparison(targets)
        losses = {name: compare(self.heads[name](branch.embed(view))) for name, branch in self._nets()}
        logs = {f"{name}_loss": loss.detach() for name, loss in losses.items()}
        return StepOutput(torch.stack(list(losses.values())).mean(), logs)

    def comparison(self, targets: Tensor) -> Callable[[Tensor], Tensor]:
        """Return the loss of a branch, in [0, 4], as a function of its outputs (B, W).

        Args:
            targets: Targets (B, W) of the images, of unit length.
        """
        return lambda outputs: cass_loss(outputs, targets)

    def branches(self) -> dict[str, Branch]:
        """Return both branches."""
        return dict(self._nets())

    def trained(self) -> dict[str, tuple[Branch, nn.Module]]:
        """Return each branch with its head."""
        return {name: (branch, self.heads[name]) for name, branch in self._nets()}

    def _nets(self) -> list[tuple[str, Any]]:
        return list(self.nets.items())
