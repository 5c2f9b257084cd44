"""Settings of ``cass export``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from cass.config.base import Settings
from cass.config.verbs import verb
from cass.types import Branches


@verb(
    "export",
    resolver="cass.resolve.export:resolve_export",
    order=85,
    arguments={"run": "RUN"},
    summary="Write the networks of a run for use without cass: timm, ONNX, TorchScript or Hugging Face.",
    example="cass export runs/tuned --format onnx --out exported",
    returns="The folder of each branch.",
)
class ExportConfig(Settings):
    """Settings of ``cass export``."""

    run: Path = Field(description="Run folder of cass finetune, or of cass pretrain.")
    out: Path = Field(description="Folder to write; must be new or empty. Each branch has a folder in it.")
    format: Literal["timm", "onnx", "torchscript", "huggingface"] = Field(
        "timm",
        description="timm: weights that timm.create_model loads; onnx: a model.onnx for onnxruntime and others; "
        "torchscript: a model.pt that torch.jit.load loads; huggingface: a folder for the Hugging Face Hub.",
    )
    branch: Branches = Field("both", description="Branch to export.")
