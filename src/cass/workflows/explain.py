"""``cass explain``: where both networks find the evidence for their prediction."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from cass.config.explain import ExplainConfig
from cass.errors import DataError
from cass.files import write_bytes, write_text
from cass.hardware import torch_device
from cass.listing import plural, warn_unreadable
from cass.reports.heat_page import Explained, heat_page, panels
from cass.reports.lines import unreadable_files
from cass.resolve.explain import ResolvedExplain, resolve_explain
from cass.runs.folder import staged
from cass.runs.heat import explain_images
from cass.runs.inference import load_branches
from cass.runs.predictions import csv_text, mean_temperature

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class ExplainResult:
    """Written heat maps.

    Attributes:
        out: The folder.
        table: A row for each image: class, probability, agreement of the maps, and the place of the strongest
            evidence of each branch, as shares of width and height.
        unreadable: Reason by name of each unreadable image.
    """

    out: Path
    table: pd.DataFrame
    unreadable: dict[str, str]


def run_explain(config: ExplainConfig, resolved: ResolvedExplain | None = None) -> ExplainResult:
    """Write heat maps of both networks for images, with a page that shows them side by side.

    Args:
        config: Settings of ``cass explain``.
        resolved: What :func:`resolve_explain` returned; None calls it.

    Returns:
        The folder and its table.

    Raises:
        CassError: The run, the images or the output cannot be used, or a network cannot be explained.
    """
    import pandas as pd

    given = resolved or resolve_explain(config)
    branches = load_branches(config.run, "both")
    device = torch_device(config)
    for branch in branches.values():
        branch.to(device)
    entries: list[Explained] = []
    unreadable: dict[str, str] = {}
    for start in range(0, len(given.images), config.batch_size):
        names = given.images[start : start + config.batch_size]
        entries += explain_images(
            given.root,
            names,
            branches,
            classes=given.summary["classes"],
            task=given.summary["task"],
            label=config.label,
            temperature=mean_temperature(given.summary),
            device=device,
            unreadable=unreadable,
        )
    warn_unreadable(unreadable)
    if not entries:
        raise DataError(f"No image of {config.data} can be read", "Repair or replace the files.")
    table = pd.DataFrame([_row(entry) for entry in entries])
    with staged(config.out) as folder:
        for number, entry in enumerate(entries):
            stem = re.sub(r"[^\w.-]+", "-", PurePosixPath(entry.name).stem)
            for panel, data in panels(entry).items():
                write_bytes(folder / f"{number:04d}-{stem}-{panel}.png", data)
        write_text(folder / "explanations.csv", csv_text(table))
        page = heat_page(entries, run=config.run.resolve().name, left_out=given.left_out)
        write_text(folder / "index.html", page)
    return ExplainResult(config.out, table, unreadable)


def _row(entry: Explained) -> dict[str, str | float]:
    """Sum an explanation up."""
    row: dict[str, str | float] = {
        "image": entry.name,
        "label": entry.label,
        "probability": round(entry.probability, 4),
        "agreement": round(entry.agreement, 4),
    }
    for name, heat in entry.maps.items():
        down, across = np.unravel_index(int(heat.argmax()), heat.shape)
        row |= {f"{name}_x": round((across + 0.5) / heat.shape[1], 4)}
        row |= {f"{name}_y": round((down + 0.5) / heat.shape[0], 4)}
    return row


def show(result: ExplainResult, config: ExplainConfig) -> Iterator[str]:
    """Yield what the command prints."""
    count, left_out = plural(len(result.table), "image"), unreadable_files(result.unreadable)
    yield f"Wrote {result.out}: {count}{left_out}; open {result.out / 'index.html'}"
