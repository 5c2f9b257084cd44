"""``cass export``: the networks of a run for use without cass."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cass.config.export import ExportConfig
from cass.config.finetune import FinetuneConfig
from cass.files import write_json, write_text
from cass.models.backbones import Branch
from cass.models.checkpoints import load_branch
from cass.models.portable import write_onnx, write_timm, write_torchscript
from cass.reports.model_card import CardSource, model_card
from cass.reports.preprocess_script import preprocess_script
from cass.resolve.export import resolve_export
from cass.runs.folder import read_config, staged, summary_if_there
from cass.types import BranchName

NETWORK_FILES = {"timm": "model.safetensors", "onnx": "model.onnx", "torchscript": "model.pt"}
NETWORK_FILES["huggingface"] = NETWORK_FILES["timm"]


@dataclass(frozen=True)
class ExportResult:
    """Exported networks.

    Attributes:
        out: The folder.
        files: File of the network by branch; its description, its model card and the script that reads images lie
            beside it.
    """

    out: Path
    files: dict[BranchName, Path]


def run_export(config: ExportConfig, resolved: dict[BranchName, Path] | None = None) -> ExportResult:
    """Write the networks of a run for use without cass.

    Args:
        config: Settings of ``cass export``.
        resolved: What :func:`resolve_export` returned; None calls it.

    Returns:
        The files.

    Raises:
        CassError: The run or the output folder cannot be used.
    """
    branches = resolved or resolve_export(config)
    source = _source(config.run)
    with staged(config.out) as folder:
        for name, path in branches.items():
            (folder / name).mkdir()
            _write_branch(load_branch(path).eval(), name, folder / name, source=source, kind=config.format)
    return ExportResult(config.out, {name: config.out / name / NETWORK_FILES[config.format] for name in branches})


def _source(run: Path) -> CardSource:
    """Read what the cards say of the run."""
    summary, before = summary_if_there(run) or {}, None
    if summary.get("kind") == "finetune":
        before = summary_if_there(read_config(run, FinetuneConfig, written_by="cass finetune").run)
    path = run / "evaluation" / "test" / "report.json"
    report = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
    return CardSource(summary, before, report)


def _write_branch(branch: Branch, name: BranchName, folder: Path, *, source: CardSource, kind: str) -> None:
    """Write one branch, its card, and the script that reads images."""
    spec = branch.spec
    classes, task = tuple(source.summary.get("classes", ())), source.summary.get("task")
    if kind == "onnx":
        write_onnx(branch, folder / NETWORK_FILES[kind], task=task, classes=classes)
    elif kind == "torchscript":
        write_torchscript(branch, folder / NETWORK_FILES[kind], task=task)
    else:
        write_timm(branch, folder, classes=classes)
    if kind == "huggingface":
        write_json(folder / "preprocessor_config.json", _preprocessor(branch))
    write_json(folder / "classes.json", {"task": task, "classes": list(classes)})
    write_text(folder / "preprocess.py", preprocess_script(image_size=spec.image_size, in_chans=spec.in_chans))
    write_text(folder / "README.md", model_card(source, branch, name, kind=kind))


def _preprocessor(branch: Branch) -> dict[str, Any]:
    """Describe the input as image processors of transformers do."""
    side = branch.spec.image_size
    return {
        "do_resize": True,
        "size": {"height": side, "width": side},
        "resample": 2,  # bilinear
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": branch.mean.flatten().tolist(),
        "image_std": branch.std.flatten().tolist(),
    }


def show(result: ExportResult, config: ExportConfig) -> Iterator[str]:
    """Yield what the command prints."""
    for name, path in result.files.items():
        yield f"{name}: {path} ({path.stat().st_size / 1e6:.1f} MB)"
    yield "Beside each: README.md, the model card, and preprocess.py, which reads images without cass."
