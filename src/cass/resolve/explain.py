"""What the settings of ``cass explain`` mean."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cass.config.explain import ExplainConfig
from cass.data.manifest.manifest import load_manifest
from cass.errors import ConfigError, did_you_mean
from cass.hardware import accelerator
from cass.runs.folder import check_free, finetuned_summary


@dataclass(frozen=True)
class ResolvedExplain:
    """Which images are explained.

    Attributes:
        root: Folder that the image paths are relative to.
        images: Paths, at most ``limit``.
        left_out: Images beyond the limit.
        summary: Summary of the run.
    """

    root: Path
    images: tuple[str, ...]
    left_out: int
    summary: dict[str, Any]


def resolve_explain(config: ExplainConfig) -> ResolvedExplain:
    """Check the output, the device, the run and the class, and list the images.

    Raises:
        ConfigError: The device is not there, or the run does not know the class.
        DataError: The data set is missing or malformed.
        OutputError: The output is taken, or the run is not a finished one of ``cass finetune``.
    """
    check_free(config.out)
    accelerator(config.device)
    summary = finetuned_summary(config.run)
    if config.label is not None and config.label not in summary["classes"]:
        hint = did_you_mean(config.label, summary["classes"]) or f"It has: {', '.join(summary['classes'])}."
        raise ConfigError(f"--label {config.label}: {config.run} has no such class", hint)
    manifest = load_manifest(config.data, config)
    images = manifest.images[: config.limit]
    return ResolvedExplain(manifest.root, images, len(manifest.images) - len(images), summary)
