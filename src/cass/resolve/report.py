"""What the settings of ``cass report`` mean."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cass.config.report import ReportConfig
from cass.errors import ConfigError, DataError, OutputError
from cass.resolve.naming import check_report
from cass.runs.folder import finetuned_summary
from cass.runs.outcomes import EVALUATION


def resolve_report(config: ReportConfig) -> dict[str, Any] | None:
    """Check the page to write, the audit, and that every run was fine-tuned and evaluated.

    Returns:
        What the audit wrote; None without one.

    Raises:
        ConfigError: The output is no .html file.
        DataError: The audit is not one of ``cass audit --json``.
        OutputError: The output exists, or a run has not finished or was not evaluated on its test images.
    """
    if config.out.suffix.lower() not in (".html", ".htm"):
        raise ConfigError(f"--out {config.out} is not a .html file", "Name a file such as report.html.")
    inputs = [*config.runs, *([] if config.audit is None else [config.audit])]
    check_report(config.out, option="--out", inputs=inputs, overwrite=config.overwrite)
    for run in config.runs:
        finetuned_summary(run)
        if not (run / EVALUATION / "report.json").is_file():
            raise OutputError(
                f"{run} was not evaluated on its test images",
                f"Run: cass evaluate {run} --labels labels.csv",
            )
    return None if config.audit is None else _read_audit(config.audit)


def _read_audit(path: Path) -> dict[str, Any]:
    """Read what ``cass audit --json`` wrote."""
    try:
        audit = json.loads(path.read_text(encoding="utf-8"))
        return {
            "data": str(audit["data"]),
            "images": int(audit["images"]),
            "findings": [
                {key: str(entry[key]) for key in ("level", "topic", "what")} for entry in audit["findings"]
            ],
        }
    except OSError as error:
        raise DataError(
            f"--audit {path} cannot be read: {error.strerror}", "Name the file of cass audit --json."
        ) from None
    except (ValueError, KeyError, TypeError):
        raise DataError(
            f"--audit {path} was not written by cass audit", "Make it: cass audit labels.csv --json audit.json"
        ) from None
