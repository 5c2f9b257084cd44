"""The vocabulary that the layers share. Layer 0: imports nothing else of cass, and no torch at run time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias, TypedDict

if TYPE_CHECKING:
    from torch import Tensor, nn

Task: TypeAlias = Literal["multiclass", "multilabel"]
"""``multiclass``: exactly one class an image (binary is the case of two); ``multilabel``: any number."""

Split: TypeAlias = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")

BranchName: TypeAlias = Literal["cnn", "transformer"]
BRANCHES: tuple[BranchName, ...] = ("cnn", "transformer")

Branches: TypeAlias = Literal["cnn", "transformer", "both"]
"""A choice of branches."""

Views: TypeAlias = "list[Tensor]"
"""One float tensor (B, C, H, W) in [0, 1] for each view of the same B images; those of full size come first."""


class Caution(TypedDict):
    """What is doubtful about a finished run, as its summary keeps it.

    Attributes:
        code: A word for scripts, such as ``collapsed``; docs/reference/command-line.md lists them.
        message: The sentence that the run printed.
    """

    code: str
    message: str


@dataclass(frozen=True)
class StepOutput:
    """What a method returns for one batch.

    Attributes:
        loss: Scalar tensor to minimise.
        logs: Further scalars to log, detached, keyed by a short name.
    """

    loss: Tensor
    logs: dict[str, Tensor] = field(default_factory=dict)


class ParamGroup(TypedDict):
    """Parameters that share a learning rate and a weight decay.

    Attributes:
        params: The parameters.
        lr_scale: Factor on the run's learning rate, 0 or more.
        weight_decay_scale: Factor on the run's weight decay, 0 or more.
    """

    params: list[nn.Parameter]
    lr_scale: float
    weight_decay_scale: float
