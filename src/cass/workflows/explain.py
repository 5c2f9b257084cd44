"""``cass explain``: where both networks find the evidence for their prediction."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from cass.config.explain import ExplainConfig
from cass.data.formats.unreadable import Pixels
from cass.data.store.dataset import to_images
from cass.data.store.stream import fitted_image
from cass.errors import DataError
from cass.evaluation.probabilities import probabilities
from cass.files import write_bytes, write_text
from cass.hardware import torch_device
from cass.listing import plural, warn_unreadable
from cass.models.attribution import heat_maps
from cass.models.backbones import Branch
from cass.reports.heat_page import Explained, heat_page, panels
from cass.reports.lines import unreadable_files
from cass.resolve.explain import ResolvedExplain, resolve_explain
from cass.runs.folder import staged
from cass.runs.inference import load_branches

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
        entries += _explain(config, given, names, branches, unreadable)
    warn_unreadable(unreadable)
    if not entries:
        raise DataError(f"No image of {config.data} can be read", "Repair or replace the files.")
    table = pd.DataFrame([_row(entry) for entry in entries])
    with staged(config.out) as folder:
        for number, entry in enumerate(entries):
            stem = re.sub(r"[^\w.-]+", "-", PurePosixPath(entry.name).stem)
            for panel, data in panels(entry).items():
                write_bytes(folder / f"{number:04d}-{stem}-{panel}.png", data)
        write_text(folder / "explanations.csv", table.to_csv(index=False))
        page = heat_page(entries, run=config.run.resolve().name, left_out=given.left_out)
        write_text(folder / "index.html", page)
    return ExplainResult(config.out, table, unreadable)


def _explain(
    config: ExplainConfig,
    given: ResolvedExplain,
    names: tuple[str, ...],
    branches: dict[str, Branch],
    unreadable: dict[str, str],
) -> list[Explained]:
    """Explain a batch of images; those that cannot be read are noted."""
    spec = next(iter(branches.values())).spec
    pictures: dict[str, Pixels] = {}
    for name in names:
        read = fitted_image(given.root / name, image_size=spec.image_size, in_chans=spec.in_chans)
        if isinstance(read, str):
            unreadable[name] = read
        else:
            pictures[name] = read
    if not pictures:
        return []
    each = [
        to_images(torch.from_numpy(np.array(pixels)[None])) for pixels in pictures.values()
    ]  # depths may differ
    images = torch.cat(each).contiguous().to(torch_device(config))
    classes = given.summary["classes"]
    with torch.no_grad():
        told = [probabilities(branch.eval()(images), task=given.summary["task"]) for branch in branches.values()]
    mean = torch.stack(told).mean(dim=0)
    chosen = mean.argmax(dim=1)
    if config.label is not None:
        chosen = torch.full_like(chosen, classes.index(config.label))
    maps = {name: heat_maps(branch, images, chosen).numpy() for name, branch in branches.items()}
    found = []
    for row, name in enumerate(pictures):
        own = {branch: part[row] for branch, part in maps.items()}
        index = int(chosen[row])
        found.append(
            Explained(
                name,
                classes[index],
                float(mean[row, index]),
                _shown(each[row][0].permute(1, 2, 0).numpy()),
                own,
                _agreement(own),
            )
        )
    return found


def _shown(image: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Turn an image (S, S, C) in [0, 1] into colours (S, S, 3)."""
    colours = image if image.shape[2] == 3 else np.repeat(image[..., :1], 3, axis=2)
    return (colours * 255).round().astype(np.uint8)


def _agreement(maps: dict[str, NDArray[np.float32]]) -> float:
    """Return the correlation of two maps; NaN with one, or where one has no evidence."""
    flat = [part.ravel() for part in maps.values()]
    if len(flat) < 2 or any(part.std() == 0 for part in flat):
        return float("nan")
    return float(np.corrcoef(flat[0], flat[1])[0, 1])


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
