"""Joint targets: each branch predicts from a view how both branches together embedded the whole image.

The default objective of cass. Its targets are fixed before the first step and spread by construction, so
constant outputs do not minimise the loss; docs/objective.md has the search behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from cass.methods.base import METHODS, Method, MethodConfig, Optimization
from cass.models.backbones import Branch
from cass.models.layers import layer_groups
from cass.models.modes import freeze_batch_norms
from cass.types import ParamGroup, StepOutput, Views

RIDGE_PENALTIES = tuple(10.0**exponent for exponent in range(-3, 3))
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


def joint_targets(embeddings: Sequence[Tensor], *, width: int, power: float) -> Tensor:
    """Turn embeddings of the same images, one of each branch, into one target per image.

    Each branch's embeddings are L2-normalised, centred, and scaled to equal variance, so that no branch counts
    more than another; side by side they are turned to their principal axes, whose spreads are then evened out.

    Args:
        embeddings: (N, D) of each branch, N at least 2; the widths D may differ.
        width: Most axes W that are kept.
        power: Exponent on the axes' spreads, in [0, 1]: 1 keeps them, 0 makes all alike (whitening).

    Returns:
        float32 (N, W) of unit length; axes that the images do not fill are 0.
    """
    parts = []
    for embedding in embeddings:
        unit = F.normalize(embedding.double(), dim=1)
        centred = unit - unit.mean(dim=0)
        parts.append(centred / centred.square().sum(dim=1).mean().sqrt().clamp(min=1e-12))
    joint = torch.cat(parts, dim=1)
    variances, axes = torch.linalg.eigh(joint.T @ joint / len(joint))  # ascending
    variances, axes = variances.flip(0)[:width], axes.flip(1)[:, :width]
    filled = variances > 1e-8 * variances[0]
    variances, axes = variances[filled], axes[:, filled]
    # An axis has no sign of its own; this one is the same on every machine.
    axes = axes * axes.gather(0, axes.abs().argmax(dim=0, keepdim=True)).sign()
    targets = F.normalize((joint @ axes) * variances.sqrt() ** (power - 1), dim=1)
    return F.pad(targets, (0, width - targets.shape[1])).float()


def closed_form_head(embeddings: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Fit the linear map from embeddings to targets by ridge regression.

    Args:
        embeddings: (N, D).
        targets: (N, W).

    Returns:
        Weight (W, D) and bias (W,) for raw embeddings. The penalty is the one of lowest generalised
        cross-validation error: with more dimensions than images the unpenalised map overfits.

    Source:
        Golub, Heath & Wahba, Generalized Cross-Validation, Technometrics 1979.
    """
    x, y = embeddings.double(), targets.double()
    centre, mean = x.mean(dim=0), y.mean(dim=0)
    scale = x.std(dim=0) + 1e-3 * x.std() + 1e-12
    x, y = (x - centre) / scale, y - mean
    count = len(x)
    strengths, axes = torch.linalg.eigh(x.T @ x)
    strengths = strengths.clamp(min=0)
    onto = axes.T @ (x.T @ y)  # (D, W)
    fitted = onto.square().sum(dim=1)
    best = (float("inf"), RIDGE_PENALTIES[0])
    for penalty in RIDGE_PENALTIES:
        shrunk = strengths + penalty * count
        # ‖y − Hy‖² with H = X (XᵀX + λ)⁻¹ Xᵀ, axis by axis.
        error = y.square().sum() - (fitted * (2 / shrunk - strengths / shrunk.square())).sum()
        best = min(best, (float(error / (1 - (strengths / shrunk).sum() / count) ** 2), penalty))
    weight = (axes @ (onto / (strengths + best[1] * count)[:, None])).T / scale  # (W, D)
    return weight.float(), (mean - weight @ centre).float()


@METHODS.register("cass", objective="joint")
class CASS(Method):
    """Each branch predicts, from one augmented view, the joint target of the image.

    Before the first step both branches embed every image as it is. Their embeddings together make the targets
    (:func:`joint_targets`), which stay fixed, and each branch's linear head is fitted to them in closed form
    (:func:`closed_form_head`), so that no random head disturbs pretrained branches. Then one pass per step:
    the loss is the published one, with the target in the place of the other branch's output. Only pretrained
    branches make targets: a randomly initialised one has nothing to teach. Where no branch is pretrained, the
    targets are made of gradient histograms of the images.

    Pretrained batch norms keep their statistics, and lower layers learn more slowly.

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
        layer_decay: float = Field(
            0.75,
            gt=0,
            le=1,
            description="Factor on the learning rate from a pretrained layer to the one before it.",
        )
        cnn_rate: float = Field(5.0, gt=0, le=100, description="Learning rate of the CNN over the Transformer's.")

    default_views = "general"
    uses_start = True
    optimization = Optimization("adamw", lr=3e-4, weight_decay=0.05, warmup=0.1, full_steps=128, full_batch=16)
    targets: Tensor

    def __init__(self, config: Config, branches: dict[str, Branch]) -> None:
        super().__init__(config, branches)
        self.nets = nn.ModuleDict(branches)
        self.heads = nn.ModuleDict(
            {name: nn.Linear(branch.num_features, config.width) for name, branch in branches.items()}
        )
        for branch in branches.values():
            branch.head = None
        # Not saved: a resumed run computes them again.
        self.register_buffer("targets", torch.empty(0, config.width), persistent=False)

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
        self.targets = joint_targets(taught or [describe()], width=self.config.width, power=self.config.power).to(
            self.targets.device
        )
        with torch.no_grad():
            for name, embedding in embeddings.items():
                weight, bias = closed_form_head(embedding, self.targets.cpu())
                head: Any = self.heads[name]
                head.weight.copy_(weight)
                head.bias.copy_(bias)

    def forward(self, views: Views, positions: Tensor) -> StepOutput:
        """Pass one view through both branches and compare each with the images' targets.

        Args:
            views: One view (B, C, S, S) of the images, in [0, 1].
            positions: Positions (B,) of the images among the N training images of :meth:`begin`.

        Returns:
            The scalar loss in [0, 4], the mean over the branches, and each branch's.
        """
        (view,) = views
        targets = self.targets[positions.to(self.targets.device)]
        losses = {name: cass_loss(self.heads[name](branch.embed(view)), targets) for name, branch in self._nets()}
        logs = {f"{name}_loss": loss.detach() for name, loss in losses.items()}
        return StepOutput(torch.stack(list(losses.values())).mean(), logs)

    def train(self, mode: bool = True) -> CASS:
        """Set the mode; pretrained batch norms keep their statistics, which a small batch would replace."""
        super().train(mode)
        for _, branch in self._nets():
            if branch.spec.weights != "none":
                freeze_batch_norms(branch)
        return self

    def branches(self) -> dict[str, Branch]:
        """Return both branches."""
        return dict(self._nets())

    def param_groups(self) -> list[ParamGroup]:
        """Return both branches with their heads, pretrained ones with falling rates towards the input."""
        groups: list[ParamGroup] = []
        for name, branch in self._nets():
            rate = self.config.cnn_rate if name == "cnn" else 1.0
            decay = 1.0 if branch.spec.weights == "none" else self.config.layer_decay
            for group in layer_groups(branch, layer_decay=decay):
                groups.append({**group, "lr_scale": rate * group["lr_scale"]})
            head = list(self.heads[name].parameters())
            groups.append({"params": head, "lr_scale": rate, "weight_decay_scale": 0.0})
        return groups

    def _nets(self) -> list[tuple[str, Any]]:
        return list(self.nets.items())
