"""Heat maps of saved branches: made for images in files, and kept as a file of an evaluation."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cass.data.formats.unreadable import Pixels
from cass.data.store.dataset import to_images
from cass.data.store.stream import fitted_image
from cass.errors import ModelError
from cass.evaluation.ensemble import ensemble
from cass.evaluation.probabilities import probabilities
from cass.files import whole_file
from cass.models.attribution import heat_maps
from cass.models.backbones import Branch
from cass.reports.heat_page import Explained
from cass.runs.predictions import mean_temperature
from cass.types import Task

log = logging.getLogger("cass")

HEAT_FILE = "heat_maps.npz"


def explain_images(
    root: Path,
    names: Sequence[str],
    branches: dict[str, Branch],
    *,
    classes: Sequence[str],
    task: Task,
    label: str | None,
    temperature: float,
    device: torch.device,
    unreadable: dict[str, str],
) -> list[Explained]:
    """Explain a batch of images by both branches.

    Args:
        root: Folder that the names are relative to.
        names: Names of N images.
        branches: Fine-tuned branches by name, on the device; all take images of one size.
        classes: K names.
        task: Multi-class or multi-label.
        label: The class to explain; None is the likeliest one of each image.
        temperature: Of the mean of both branches.
        device: Where to compute.
        unreadable: Receives the reason by name of each image that cannot be read.

    Returns:
        The readable images with their heat maps.

    Raises:
        ModelError: A network cannot be explained.
    """
    spec = next(iter(branches.values())).spec
    pictures: dict[str, Pixels] = {}
    for name in names:
        read = fitted_image(root / name, image_size=spec.image_size, in_chans=spec.in_chans)
        if isinstance(read, str):
            unreadable[name] = read
        else:
            pictures[name] = read
    if not pictures:
        return []  # also where there are no names
    # One by one, as depths may differ.
    each = [to_images(torch.from_numpy(np.array(pixels)[None])) for pixels in pictures.values()]
    images = torch.cat(each).contiguous().to(device)
    with torch.no_grad():
        told = [probabilities(branch.eval()(images), task=task) for branch in branches.values()]
    answers = dict(zip(branches, (part.cpu().numpy() for part in told), strict=True))
    mean = torch.from_numpy(ensemble(answers, task=task, temperature=temperature)).to(device)
    chosen = mean.argmax(dim=1)
    if label is not None:
        chosen = torch.full_like(chosen, list(classes).index(label))
    maps = {name: heat_maps(branch, images, chosen).numpy() for name, branch in branches.items()}
    found = []
    for row, name in enumerate(pictures):
        own = {branch: part[row] for branch, part in maps.items()}
        index = int(chosen[row])
        shown = _shown(each[row][0].permute(1, 2, 0).numpy())
        found.append(Explained(name, classes[index], float(mean[row, index]), shown, own, _agreement(own)))
    return found


def explain_in_folder(
    folder: Path,
    root: Path,
    names: Sequence[str],
    branches: dict[str, Branch],
    *,
    summary: dict[str, Any],
) -> None:
    """Write the heat maps of images into the folder of an evaluation; none where a network cannot be explained.

    Args:
        folder: Where to write.
        root: Folder that the names are relative to.
        names: Names of the images.
        branches: Fine-tuned branches by name, on the device.
        summary: Summary of the fine-tuned run.
    """
    try:
        entries = explain_images(
            root,
            names,
            branches,
            classes=summary["classes"],
            task=summary["task"],
            label=None,
            temperature=mean_temperature(summary),
            device=next(next(iter(branches.values())).parameters()).device,
            unreadable={},
        )
    except ModelError as error:
        log.warning("No heat maps of the errors: %s", error)
    else:
        write_heat(folder, entries)


def write_heat(folder: Path, entries: Sequence[Explained]) -> None:
    """Write the heat maps of images, without the images.

    Args:
        folder: Folder of the evaluation.
        entries: The images; with none, nothing is written.
    """
    if not entries:
        return
    maps: dict[str, Any] = {
        branch: np.stack([(255 * entry.maps[branch]).round().astype(np.uint8) for entry in entries])
        for branch in entries[0].maps
    }
    with whole_file(folder / HEAT_FILE) as partial, partial.open("wb") as file:
        np.savez_compressed(file, names=np.array([entry.name for entry in entries]), **maps)


def read_heat(folder: Path) -> dict[str, dict[str, NDArray[np.uint8]]]:
    """Read the heat maps (S, S) of an evaluation by image name and branch; empty where it made none."""
    if not (folder / HEAT_FILE).is_file():
        return {}
    with np.load(folder / HEAT_FILE, allow_pickle=False) as file:
        found = {name: file[name] for name in file.files}
    names = found.pop("names").tolist()
    return {name: {branch: maps[row] for branch, maps in found.items()} for row, name in enumerate(names)}


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
