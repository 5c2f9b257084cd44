"""What the settings of ``cass prepare`` mean."""

from __future__ import annotations

import os
from pathlib import Path

from cass.config.prepare import PrepareSetConfig
from cass.errors import DataError, OutputError
from cass.resolve.naming import check_new_csv


def resolve_prepared_set(config: PrepareSetConfig) -> Path:
    """Check the folder of a public set and the CSV to write.

    Returns:
        The CSV.

    Raises:
        ConfigError: The output is no .csv file.
        DataError: The folder does not exist.
        OutputError: The output exists, or cannot be written.
    """
    if not config.folder.is_dir():
        problem = "is not a folder" if config.folder.exists() else "does not exist"
        raise DataError(f"{config.folder} {problem}", "Give the folder with your copy of the dataset.")
    out = config.out or config.folder / "labels.csv"
    check_new_csv(out)
    if not os.access(out.parent, os.W_OK):
        raise OutputError(f"{out.parent} cannot be written to", "Name a file elsewhere with --out.")
    return out
