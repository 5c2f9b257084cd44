"""What the settings of the commands mean that use a trained run: evaluate, embed, predict, audit."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cass.config.audit import AuditConfig
from cass.config.embed import EmbedConfig
from cass.config.evaluate import EvaluateConfig
from cass.config.predict import PredictConfig
from cass.data.manifest.manifest import Manifest, load_manifest
from cass.errors import ConfigError, OutputError
from cass.evaluation.operating import groups_needed, threshold_for
from cass.hardware import accelerator
from cass.resolve.naming import check_report
from cass.runs.folder import branch_files, check_free, chosen_branches, finetuned_summary
from cass.runs.held_out import read_held_out
from cass.runs.targets import Target, choose_target
from cass.types import BranchName

log = logging.getLogger("cass")


@dataclass(frozen=True)
class ResolvedRows:
    """Which images are processed, and where the output is written.

    Attributes:
        target: Where the rows go.
        root: Folder that the image paths are relative to.
        images: N paths.
    """

    target: Target
    root: Path
    images: tuple[str, ...]


@dataclass(frozen=True)
class ResolvedPredict(ResolvedRows):
    """Which images get a prediction, of which run, and where the rows go.

    Attributes:
        summary: What ``cass finetune`` wrote of the run.
        called: Probability from which on a class is called, by class; empty where no sensitivity was stated.
    """

    summary: dict[str, Any]
    called: dict[str, float]


def resolve_evaluate(config: EvaluateConfig) -> tuple[dict[str, Any], Manifest]:
    """Check the device, the fine-tuned run and the data set; return the summary of the run and the data set.

    Raises:
        ConfigError: The device is not there.
        DataError: The data set is missing or malformed.
        OutputError: The run has not finished, or is not one of ``cass finetune``.
    """
    accelerator(config.device)
    if config.out is not None:
        check_free(config.out)
    summary = finetuned_summary(config.run)
    return summary, load_manifest(config.labels, config, known=summary["classes"])


def resolve_embed(config: EmbedConfig) -> ResolvedRows:
    """Check the output, the device and the run, and list the images.

    Raises:
        ConfigError: The device is not there.
        DataError: The data set is missing or malformed.
        OutputError: The output is taken, or the run holds no such branch.
    """
    target = choose_target(config.out, files=(".parquet",), resume=config.resume)
    accelerator(config.device)
    chosen_branches(config.run, config.branch)
    manifest = load_manifest(config.data, config)
    return ResolvedRows(target, manifest.root, manifest.images)


def resolve_predict(config: PredictConfig) -> ResolvedPredict:
    """Check the output and the device, read the summary of the run, and list the images.

    Raises:
        ConfigError: The device is not there, or there are too few held-out labels for the sensitivity.
        DataError: The data set is missing or malformed.
        OutputError: The output is taken, or the run is not a finished one of ``cass finetune``.
    """
    target = choose_target(config.out, files=(".csv", ".parquet"), resume=config.resume)
    accelerator(config.device)
    summary = finetuned_summary(config.run)
    manifest = load_manifest(config.data, config)
    return ResolvedPredict(target, manifest.root, manifest.images, summary, _called(config, summary["classes"]))


def _called(config: PredictConfig, classes: list[str]) -> dict[str, float]:
    """Choose from which probability on each class is called; classes with too few held-out labels are left out."""
    if config.sensitivity is None:
        return {}
    held = read_held_out(config.run, classes)
    if held is None:
        raise OutputError(
            f"{config.run} was fine-tuned by a version that kept no held-out answers", "Repeat cass finetune."
        )
    found = {
        name: threshold_for(held, index, sensitivity=config.sensitivity) for index, name in enumerate(classes)
    }
    called = {name: threshold for name, threshold in found.items() if threshold is not None}
    needed = groups_needed(config.sensitivity)
    if not called:
        raise ConfigError(
            f"--sensitivity {config.sensitivity:g} needs {needed} held-out patients or images of a class; "
            f"{config.run} has fewer of each",
            "Lower it, or fine-tune with more labels.",
        )
    left_out = [name for name in classes if name not in called]
    if left_out:
        log.warning(
            "No called_ column for %s: fewer than %d held-out patients or images have it.",
            ", ".join(left_out),
            needed,
        )
    return called


def resolve_audit(config: AuditConfig) -> dict[BranchName, Path]:
    """Check the folders of the reports, the device and the run.

    Returns:
        The saved branches of the run; empty without a run.

    Raises:
        ConfigError: The device is not there.
        OutputError: A report would replace a file, its folder does not exist, or the run has no finished branches.
    """
    inputs = [Path(config.data), Path(config.data) / "labels.csv"]
    for option, path in (("--json", config.json_file), ("--html", config.html)):
        if path is not None:
            check_report(path, option=option, inputs=inputs, overwrite=config.overwrite)
    accelerator(config.device)
    return {} if config.run is None else branch_files(config.run)
