"""What the settings of ``cass report`` mean."""

from __future__ import annotations

from pathlib import Path

from cass.config.report import ReportConfig
from cass.errors import ConfigError, OutputError
from cass.resolve.naming import check_report
from cass.runs.folder import finetuned_summary
from cass.runs.outcomes import EVALUATION


def resolve_report(config: ReportConfig) -> None:
    """Check the page to write, and that every run was fine-tuned and evaluated.

    Raises:
        ConfigError: The output is no .html file.
        OutputError: The output exists, or a run has not finished or was not evaluated on its test images.
    """
    if config.out.suffix.lower() not in (".html", ".htm"):
        raise ConfigError(f"--out {config.out} is not a .html file", "Name a file such as report.html.")
    check_report(config.out, option="--out", inputs=[Path(run) for run in config.runs], overwrite=config.overwrite)
    for run in config.runs:
        finetuned_summary(run)
        if not (run / EVALUATION / "report.json").is_file():
            raise OutputError(
                f"{run} was not evaluated on its test images",
                f"Run: cass evaluate {run} --labels labels.csv",
            )
