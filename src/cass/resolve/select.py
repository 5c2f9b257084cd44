"""What the settings of ``cass select`` mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cass.config.select import SelectConfig
from cass.data.manifest.manifest import Manifest, load_manifest
from cass.errors import DataError
from cass.hardware import accelerator
from cass.resolve.naming import check_new_csv
from cass.runs.folder import branch_files, summary_if_there


@dataclass(frozen=True)
class ResolvedSelect:
    """Which images can be chosen.

    Attributes:
        manifest: The data set.
        summary: Summary of the run; empty where there is none.
        free: (N,) whether an image can be chosen: it has no label, and is not given to validation or test.
    """

    manifest: Manifest
    summary: dict[str, Any]
    free: NDArray[np.bool_]


def resolve_select(config: SelectConfig) -> ResolvedSelect:
    """Check the CSV to write, the device and the run, and list the images.

    Raises:
        ConfigError: The output is no .csv file, or the device is not there.
        DataError: The data set is missing or malformed, or has too few images to choose from.
        OutputError: The output exists, or the run has no finished branches.
    """
    check_new_csv(config.out)
    accelerator(config.device)
    branch_files(config.run)
    summary = summary_if_there(config.run) or {}
    manifest = load_manifest(config.data, config, known=summary.get("classes", ()))
    free = ~manifest.labelled
    if manifest.splits is not None:
        free &= manifest.splits == "train"
    if free.sum() < config.budget:
        raise DataError(
            f"--budget {config.budget}: {config.data} has {int(free.sum())} unlabelled training images",
            "Lower --budget, or add images.",
        )
    return ResolvedSelect(manifest, summary, free)
