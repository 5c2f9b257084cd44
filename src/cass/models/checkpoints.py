"""Branches on disk: safetensors with timm's own names, and a header that says how to rebuild them."""

from __future__ import annotations

import json
from pathlib import Path
from textwrap import shorten
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from cass.errors import ModelError
from cass.files import whole_file
from cass.models.backbones import BackboneSpec, Branch, build_branch

FORMAT = "cass-branch-1"


def branch_state(branch: Branch) -> dict[str, Tensor]:
    """Collect the tensors of a branch under the names that bare timm gives them.

    Args:
        branch: The branch.

    Returns:
        Contiguous CPU tensors by name; the head under timm's name of the classifier.
    """
    state = dict(branch.backbone.state_dict())
    if branch.head is not None:
        state |= {f"{branch.classifier}.{name}": value for name, value in branch.head.state_dict().items()}
    return {name: value.detach().cpu().contiguous().clone() for name, value in state.items()}


def save_branch(branch: Branch, path: Path) -> None:
    """Write a branch, whole or not at all.

    Args:
        branch: The branch.
        path: The safetensors file to write.
    """
    spec = branch.spec
    header = {
        "format": FORMAT,
        "name": spec.name,
        "args": spec.args,
        "image_size": spec.image_size,
        "in_chans": spec.in_chans,
        "option": spec.option,
        "mean": branch.mean.flatten().tolist(),
        "std": branch.std.flatten().tolist(),
        "num_classes": 0 if branch.head is None else branch.head.out_features,
    }
    with whole_file(path) as partial:
        save_file(branch_state(branch), partial, metadata={"cass": json.dumps(header)})


def load_branch(path: Path) -> Branch:
    """Read a branch that :func:`save_branch` wrote.

    Args:
        path: The safetensors file.

    Returns:
        The branch, with its head where one was saved.

    Raises:
        ModelError: Where the file is missing, damaged, or was not written by cass.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {}).get("cass", "{}"))
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read ({error})", "Run the step that writes it again.") from None
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise ModelError(
            f"{path} is not a branch saved by cass", "Pass a run folder of cass pretrain or finetune."
        )
    try:
        return _rebuilt(header, state)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = shorten(f"{type(error).__name__}: {error}", 200)
        raise ModelError(f"{path} is damaged ({reason})", "Run the step that writes it again.") from None


def _rebuilt(header: dict[str, Any], state: dict[str, Tensor]) -> Branch:
    """Build the branch that a header describes, with its weights."""
    spec = BackboneSpec(
        name=header["name"],
        image_size=header["image_size"],
        in_chans=header["in_chans"],
        args=header["args"],
        option=header["option"],
    )
    branch = build_branch(spec, seed=0)
    branch.set_normalization(header["mean"], header["std"])
    prefix = f"{branch.classifier}."
    names = set(branch.backbone.state_dict())
    head = {name.removeprefix(prefix): value for name, value in state.items() if name not in names}
    branch.backbone.load_state_dict({name: value for name, value in state.items() if name in names})
    if header["num_classes"]:
        branch.head = nn.Linear(branch.num_features, header["num_classes"])
        branch.head.load_state_dict(head)
    return branch
