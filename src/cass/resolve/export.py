"""What the settings of ``cass export`` mean."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from cass.config.export import ExportConfig
from cass.errors import ConfigError
from cass.runs.folder import check_free, chosen_branches
from cass.types import BranchName


def resolve_export(config: ExportConfig) -> dict[BranchName, Path]:
    """Check the output folder, the run and the libraries of the format.

    Returns:
        The saved branches.

    Raises:
        ConfigError: The libraries of ONNX are not installed.
        OutputError: The output folder is taken, or the run has no such finished branch.
    """
    check_free(config.out)
    if config.format == "onnx":
        for name in ("onnx", "onnxscript"):
            if find_spec(name) is None:
                raise ConfigError(
                    f"--format onnx needs the package {name}", "Install it: pip install onnx onnxscript."
                )
    return chosen_branches(config.run, config.branch)
