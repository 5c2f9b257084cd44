"""What the settings of the commands mean that use a trained run: evaluate, embed, predict, audit."""

from __future__ import annotations

from typing import Any

from cass.config.audit import AuditConfig
from cass.config.embed import EmbedConfig
from cass.config.evaluate import EvaluateConfig
from cass.config.predict import PredictConfig
from cass.hardware import accelerator
from cass.resolve.naming import check_parent
from cass.runs.folder import branch_files, chosen_branches
from cass.runs.predictions import finetuned_summary
from cass.runs.rows import Target, choose_target


def resolve_evaluate(config: EvaluateConfig) -> dict[str, Any]:
    """Check the device and the fine-tuned run, and return the summary of the run.

    Raises:
        ConfigError: The device is not there.
        OutputError: The run has not finished, or is not one of ``cass finetune``.
    """
    accelerator(config.device)
    return finetuned_summary(config.run)


def resolve_embed(config: EmbedConfig) -> Target:
    """Check the output, the device and the run, and return where the rows go.

    Raises:
        ConfigError: The device is not there.
        OutputError: The output is taken, or the run holds no such branch.
    """
    target = choose_target(config.out, files=(".parquet",), resume=config.resume)
    accelerator(config.device)
    chosen_branches(config.run, config.branch)
    return target


def resolve_predict(config: PredictConfig) -> tuple[Target, dict[str, Any]]:
    """Check the output, the device and the run; return where the rows go, and the summary of the run.

    Raises:
        ConfigError: The device is not there.
        OutputError: The output is taken, or the run is not a finished one of ``cass finetune``.
    """
    target = choose_target(config.out, files=(".csv", ".parquet"), resume=config.resume)
    accelerator(config.device)
    return target, finetuned_summary(config.run)


def resolve_audit(config: AuditConfig) -> None:
    """Check the folders of the reports, the device and the run.

    Raises:
        ConfigError: The device is not there.
        OutputError: A folder does not exist, or the run holds no finished branches.
    """
    for option, path in (("--json", config.json_file), ("--html", config.html)):
        if path is not None:
            check_parent(path, option=option)
    accelerator(config.device)
    if config.run is not None:
        branch_files(config.run)
