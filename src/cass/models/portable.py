"""Branches in formats that other software reads: timm and Hugging Face folders, ONNX, TorchScript."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from cass.files import whole_file, write_json
from cass.models.backbones import Branch
from cass.models.checkpoints import branch_state
from cass.types import Task

INPUT, EMBEDDING, LOGITS, PROBABILITIES = "images", "embeddings", "logits", "probabilities"
TRACED = 2  # images of the example batch; one would be taken for a constant
OPSET = 18


class Portable(nn.Module):
    """A branch as one graph, its normalisation inside.

    Args:
        branch: The branch.
        task: How logits become probabilities; None for a branch without a head.
    """

    def __init__(self, branch: Branch, task: Task | None) -> None:
        super().__init__()
        self.branch = branch
        self.task = task

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of what it returns."""
        return (EMBEDDING,) if self.task is None else (LOGITS, PROBABILITIES)

    def forward(self, images: Tensor) -> Any:
        """Map images (B, C, S, S) in [0, 1] to logits and probabilities (B, K), or to embeddings (B, D)."""
        if self.task is None:
            return self.branch.embed(images)
        logits = self.branch(images)
        return logits, logits.softmax(dim=1) if self.task == "multiclass" else logits.sigmoid()

    def example(self) -> Tensor:
        """Return images (2, C, S, S) in [0, 1] to trace the network with."""
        spec = self.branch.spec
        return torch.rand(TRACED, spec.in_chans, spec.image_size, spec.image_size)


def write_onnx(branch: Branch, path: Path, *, task: Task | None, classes: Sequence[str]) -> None:
    """Write a branch as ONNX with any number of images a batch.

    Args:
        branch: The branch, on the CPU.
        path: File to write; its weights are inside.
        task: How logits become probabilities; None for a branch without a head.
        classes: Names of the classes, which stand in the metadata of the file.
    """
    import onnx

    module = Portable(branch, task).eval()
    with _silence():
        program = torch.onnx.export(
            module,
            (module.example(),),
            dynamo=True,
            input_names=[INPUT],
            output_names=list(module.outputs),
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            opset_version=OPSET,
        )
    model = program.model_proto  # type: ignore[union-attr]
    for key, value in {"classes": "\n".join(classes), "task": task or "embedding"}.items():
        model.metadata_props.add(key=key, value=value)
    with whole_file(path) as partial:
        onnx.save_model(model, str(partial))


def write_torchscript(branch: Branch, path: Path, *, task: Task | None) -> None:
    """Write a branch as TorchScript.

    Args:
        branch: The branch, on the CPU.
        path: File to write.
        task: How logits become probabilities; None for a branch without a head.
    """
    module = Portable(branch, task).eval()
    with torch.no_grad(), _silence(), whole_file(path) as partial:
        torch.jit.trace(module, module.example()).save(str(partial))  # type: ignore[no-untyped-call]


def write_timm(branch: Branch, folder: Path, *, classes: Sequence[str]) -> None:
    """Write a branch as weights with timm's names, and the configuration that timm reads.

    Args:
        branch: The branch, on the CPU.
        folder: Folder to write ``model.safetensors`` and ``config.json`` to.
        classes: Names of the classes; empty for a branch without a head.
    """
    state = branch_state(branch)
    if not classes:  # a classifier that the initial weights brought is no result of the run
        state = {name: value for name, value in state.items() if not name.startswith(f"{branch.classifier}.")}
    with whole_file(folder / "model.safetensors") as partial:
        save_file(state, partial, metadata={"format": "pt"})
    write_json(folder / "config.json", timm_config(branch, classes=classes))


def timm_config(branch: Branch, *, classes: Sequence[str]) -> dict[str, Any]:
    """Describe a branch as timm and the Hugging Face Hub do.

    Args:
        branch: The branch.
        classes: Names of the classes; empty for a branch without a head.

    Returns:
        What belongs into ``config.json``: images are squashed to a square, bilinear.
    """
    spec = branch.spec
    size = [spec.in_chans, spec.image_size, spec.image_size]
    arguments = dict(spec.args) | ({"img_size": spec.image_size} if branch.is_transformer else {})
    return {
        "architecture": spec.name.split(".")[0],
        "num_classes": len(classes),
        "num_features": branch.num_features,
        "label_names": list(classes),
        "model_args": arguments | ({"in_chans": spec.in_chans} if spec.in_chans != 3 else {}),
        "pretrained_cfg": {
            "input_size": size,
            "fixed_input_size": branch.is_transformer,
            "interpolation": "bilinear",
            "crop_pct": 1.0,
            "crop_mode": "squash",
            "mean": branch.mean.flatten().tolist(),
            "std": branch.std.flatten().tolist(),
            "num_classes": len(classes),
            "first_conv": branch.backbone.pretrained_cfg.get("first_conv"),  # type: ignore[operator, union-attr]
            "classifier": branch.classifier,
        },
    }


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Keep what exporters print and warn of to themselves."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(action="ignore"), contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logger.setLevel(level)
