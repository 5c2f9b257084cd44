"""The data sets and weights that a benchmark names: where they are, and what is in them."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np

from cass.benchmarking.spec import DataEntry
from cass.config.base import build_config
from cass.config.shared import LabelSettings
from cass.data.manifest.csv_text import manifest_csv
from cass.data.manifest.manifest import GENERATED, Manifest, load_manifest
from cass.data.splits.fractions import label_subset
from cass.errors import ConfigError, DataError, did_you_mean
from cass.files import write_text
from cass.models.weight_files import weight_file

DIGITS = 10
_AS_IT_IS = "Leave classes, train_share and redraw_splits out."


@dataclasses.dataclass(frozen=True)
class DataSet:
    """A data set of a benchmark.

    Attributes:
        name: Its name in the benchmark.
        source: What the commands are given.
        digest: Changes with its images' names and sizes, labels, groups and splits; not with its place.
        generated: Whether the images were drawn by cass.
        origin: Where the images come from; sets of one origin count as one.
        root: Folder that image names are relative to.
        units: Resampling unit of each image (its group, or the image itself), by its name and its full path.
        table: Text of the CSV to write to ``source``, where only a part is taken.
    """

    name: str
    source: str
    digest: str
    generated: bool
    origin: str
    root: str
    units: dict[str, str] = dataclasses.field(repr=False)
    table: str | None = None

    def unit(self, image: str) -> str:
        """Return the resampling unit of an image: its group, or the image itself if it has none.

        Args:
            image: Its path, also where the set lay when the image was classified.

        Raises:
            DataError: The set has no such image.
        """
        if image not in self.units:
            parts = Path(os.path.normpath(os.path.join(self.root, image))).as_posix().split("/")
            ends = ("/".join(parts[start:]) for start in range(len(parts)))
            known = next((end for end in ends if end in self.units), None)
            if known is None:
                raise DataError(
                    f"{image!r} has been classified, but is not an image of the data set {self.name!r}",
                    "Give the set that the results were computed on, or choose a new --out.",
                )
            self.units[image] = self.units[known]
        return self.units[image]

    def write(self) -> None:
        """Write the CSV of a part of a set, unless it is there."""
        if self.table is None:
            return
        path = Path(self.source)
        if not path.is_file() or path.read_text(encoding="utf-8") != self.table:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_text(path, self.table)


def read_set(name: str, entry: DataEntry, *, folder: Path, out: Path) -> DataSet:
    """Read what a benchmark says of a data set.

    Args:
        name: Its name.
        entry: What the file says.
        folder: Folder of that file, which paths are relative to.
        out: Folder of the benchmark, for a CSV of what is taken.

    Returns:
        The data set; nothing is written yet.

    Raises:
        DataError: The set cannot be read or has no labels.
        ConfigError: A class is asked for that it does not have, or a part of what cannot be parted.
    """
    changed = bool(entry.classes) or entry.train_share < 1 or entry.redraw_splits
    if changed and entry.source == GENERATED:
        raise ConfigError(f"The generated set {name!r} is taken as it is", _AS_IT_IS)
    named = {name: value for name, value in entry.settings().items() if name in LabelSettings.model_fields}
    if changed and named:
        raise ConfigError(f"The set {name!r} names its columns: {', '.join(named)}", _AS_IT_IS)
    source = entry.source if entry.source == GENERATED else str(_path(entry.source, folder))
    manifest = load_manifest(source, build_config(LabelSettings, named))
    if not manifest.classes:
        raise DataError(f"{entry.source} has no labels", "A benchmark fine-tunes: give a set with labels.")
    if not changed:
        return DataSet(
            name, source, _digest(manifest), manifest.generated, source, str(manifest.root), _units(manifest)
        )
    if manifest.task == "multilabel":
        raise ConfigError(f"The multi-label set {name!r} is taken as it is", _AS_IT_IS)
    if entry.redraw_splits:
        manifest = dataclasses.replace(manifest, splits=None)
    part = _some_classes(name, manifest, entry.classes) if entry.classes else manifest
    if entry.train_share < 1:
        part = _some_training_images(name, part, entry.train_share)
    # Not among the cells: the CSV holds the paths of this machine.
    path = out.resolve() / "data" / f"{name}.csv"
    bare = dataclasses.replace(part, metadata={})  # other columns are not used
    text = manifest_csv(bare, folder=None)
    return DataSet(name, str(path), _digest(part), False, source, str(path.parent), _units(manifest), text)


def _units(manifest: Manifest) -> dict[str, str]:
    """Return the unit of each image by its name and by its full path; without a group it is the image's name."""
    groups = [""] * len(manifest) if manifest.groups is None else manifest.groups.tolist()
    units = [f"group {group}" if group else name for group, name in zip(groups, manifest.images, strict=True)]
    paths = (Path(os.path.normpath(manifest.path(row))).as_posix() for row in range(len(manifest)))
    return dict(zip(manifest.images, units, strict=True)) | dict(zip(paths, units, strict=True))


def _some_classes(name: str, manifest: Manifest, classes: tuple[str, ...]) -> Manifest:
    for label in classes:
        if label not in manifest.classes:
            hint = did_you_mean(label, manifest.classes) or f"It has: {', '.join(manifest.classes)}."
            raise ConfigError(f"The data set {name!r} has no class {label!r}", hint)
    chosen = manifest.targets[:, [manifest.classes.index(label) for label in classes]].any(axis=1)
    return manifest.subset(np.flatnonzero(chosen))


def _some_training_images(name: str, manifest: Manifest, share: float) -> Manifest:
    if manifest.splits is None:
        raise ConfigError(
            f"The data set {name!r} has no splits to take a share of",
            "Leave train_share out, or add the column 'split'.",
        )
    train = np.flatnonzero(manifest.splits == "train")
    taken = label_subset(manifest.targets, candidates=train, fraction=share, groups=manifest.groups, seed=0)
    return manifest.subset(np.sort(np.concatenate([np.flatnonzero(manifest.splits != "train"), taken])))


def _path(text: str, folder: Path) -> Path:
    path = Path(text).expanduser()
    return (path if path.is_absolute() else folder / path).resolve()


def _digest(manifest: Manifest) -> str:
    """Digest what decides a result; a file's size stands for its content, which would take long to read."""
    state = hashlib.sha256()
    labels = manifest.targets.astype(np.uint8)
    for row, image in enumerate(manifest.images):
        group = "" if manifest.groups is None else manifest.groups[row]
        split = "" if manifest.splits is None else manifest.splits[row]
        names = "|".join(manifest.classes[k] for k in np.flatnonzero(labels[row]))
        labelled = "labelled" if manifest.labelled[row] else ""
        cells = (image, names, labelled, str(group), str(split), str(manifest.path(row).stat().st_size))
        state.update("\0".join(cells).encode() + b"\n")
    return state.hexdigest()[:DIGITS]


def find_weights(settings: dict[str, Any], folder: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """Settle where the networks start from.

    Args:
        settings: Settings of ``cass pretrain``.
        folder: Folder of the benchmark's file, which paths are relative to.

    Returns:
        The settings with full paths, and the digest of each weight file by setting.

    Raises:
        ModelError: Where a file is missing.
    """
    settled, digests = dict(settings), {}
    for key in ("cnn_weights", "transformer_weights"):
        given = settings.get(key, "imagenet")
        if given in ("imagenet", "none"):
            continue
        file = weight_file(_path(str(given), folder), option=f"--{key.replace('_', '-')}")
        settled[key] = str(file)
        with file.open("rb") as opened:
            digests[key] = hashlib.file_digest(opened, "sha256").hexdigest()[:DIGITS]
    return settled, digests
