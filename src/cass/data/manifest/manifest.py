"""The one description of a data set that everything else reads: images, labels, groups, splits."""

from __future__ import annotations

import logging
import os
import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from glob import glob
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cass.config.shared import ColumnSettings, LabelSettings
from cass.data.manifest.column_roles import ROLES, flag_columns, with_roles
from cass.data.manifest.columns import image_paths, labels_from_columns, labels_from_names, split_names
from cass.data.manifest.folders import list_images, read_folder
from cass.data.manifest.frames import list_frames
from cass.data.manifest.kinds import IMAGES, FileKind
from cass.data.manifest.table import TABLE_SUFFIXES, read_table
from cass.data.sources.medmnist import PREFIX, fetch_medmnist, unpack_medmnist
from cass.errors import DataError, did_you_mean
from cass.files import cache_folder
from cass.types import Task

logger = logging.getLogger(__name__)

GENERATED = "generated"
"""The source name that stands for the data set that cass draws itself."""


@dataclass(frozen=True, eq=False)
class Manifest:
    """N images and what is known of them.

    Attributes:
        root: Folder that the image paths are relative to.
        images: N paths with forward slashes, relative to ``root``.
        classes: K sorted class names; empty where nothing is labelled.
        targets: (N, K) uint8 indicator, 0 or 1; all 0 in unlabelled rows.
        labelled: (N,) bool.
        groups: (N,) group names (patients, slides), ``""`` for an image that is its own group; or None.
        splits: (N,) of ``train``, ``val``, ``test`` as given by the user; or None.
        task: ``multiclass`` (one class an image) or ``multilabel`` (any number).
        metadata: The other columns of the table by name, each N cells of text.
        label_columns: The 0/1 columns that the labels stand in; empty where they are names.
        generated: True for the data set that cass draws itself.
    """

    root: Path
    images: tuple[str, ...]
    classes: tuple[str, ...]
    targets: NDArray[np.uint8]
    labelled: NDArray[np.bool_]
    groups: NDArray[np.str_] | None
    splits: NDArray[np.str_] | None
    task: Task
    metadata: Mapping[str, NDArray[np.object_]] = field(default_factory=dict)
    label_columns: tuple[str, ...] = ()
    generated: bool = False

    def __len__(self) -> int:
        """Number of images N."""
        return len(self.images)

    def path(self, i: int) -> Path:
        """Where image ``i`` (in [0, N)) lies on disk."""
        return self.root / self.images[i]

    def subset(self, indices: Sequence[int] | NDArray[np.integer]) -> Manifest:
        """Keep some images, in the order given, with the classes and the task of the whole.

        Args:
            indices: M indices in [0, N).

        Returns:
            A manifest of M images.
        """
        rows = np.asarray(indices, dtype=np.int64)
        return replace(
            self,
            images=tuple(self.images[i] for i in rows),
            targets=self.targets[rows],
            labelled=self.labelled[rows],
            groups=None if self.groups is None else self.groups[rows],
            splits=None if self.splits is None else self.splits[rows],
            metadata={name: cells[rows] for name, cells in self.metadata.items()},
        )


def load_manifest(
    source: str | Path,
    settings: ColumnSettings | None = None,
    *,
    known: Sequence[str] = (),
    kind: FileKind = IMAGES,
) -> Manifest:
    """Read a data set from a folder, a table, one image, a MedMNIST file, or the word ``generated``.

    Args:
        source: One of:

            - a table with a column ``image`` (paths relative to the table's folder) and optionally ``label``
              (names joined by ``|`` for multi-label; empty for unlabelled), ``group`` and ``split``;
            - a folder: its ``labels.csv`` where it has one, else its layout
              (:func:`cass.data.manifest.folders.read_folder`);
            - an image file, or a glob pattern such as ``scans/*.png``;
            - an ``.npz`` of MedMNIST, or ``medmnist:`` and the name of one, which is downloaded; both have
              splits and labels of their own;
            - ``"generated"``; a folder of that name is given as ``./generated``.
        settings: Names of the columns, where a table uses others. Of 0/1 columns, empty in all of
            them means unlabelled; the task is then multi-label.
        known: Classes of a trained run, for a table whose labels are 0/1 columns that nobody named.
        kind: Which files count. Of any other kind than images, a row stays a file, whatever it holds.

    Returns:
        The manifest: a table in the order of its rows, a folder in sorted order.

    Raises:
        DataError: The source is missing, empty or malformed; the message names the file, the line or
            value, and the fix.
    """
    if source == GENERATED:
        from cass.data.sources.generated import generated_dataset

        table = generated_dataset() / "labels.csv"
        return replace(_from_table(table, settings), generated=True)
    if str(source).startswith(PREFIX):
        source = fetch_medmnist(str(source).removeprefix(PREFIX), cache_folder())
    return _from_path(Path(source).expanduser(), settings, known, kind)


def _from_path(path: Path, settings: ColumnSettings | None, known: Sequence[str], kind: FileKind) -> Manifest:
    """Read a folder, a table, images, or a MedMNIST file."""
    if path.suffix.lower() == ".npz" and path.is_file():
        table, findings = unpack_medmnist(path, cache_folder())
        return _from_table(table, LabelSettings(label_columns=findings))
    if not path.exists():
        if matches := sorted(glob(str(path))):
            return _from_files([Path(match) for match in matches], kind)
        near = did_you_mean(path.name, _siblings(path))
        raise DataError(f"{path} does not exist", near or "Give a folder of images or a CSV file.")
    if path.is_file():
        if path.suffix.lower() in TABLE_SUFFIXES:
            return _from_table(path, settings, known, kind)
        if kind.includes(str(path)):
            return _from_files([path], kind)
        raise DataError(
            f"{path} is not a folder, an image or a table ({', '.join(TABLE_SUFFIXES)})",
            "Give the folder that holds it, or save the table as CSV.",
        )
    if (path / "labels.csv").is_file():
        manifest = _from_table(path / "labels.csv", settings, known, kind)
        _report_labels_csv(path, manifest, kind)
        return manifest
    if settings is not None and (column := _named_column(settings)):
        raise DataError(
            f"{path} is a folder without labels.csv, so it has no column {column!r}",
            "Give the table that has it.",
        )
    layout = read_folder(path, kind=kind)
    return build_manifest(
        root=path,
        images=layout.images,
        labels=[(label,) if label else () for label in layout.labels],
        labelled=[bool(label) for label in layout.labels],
        splits=layout.splits,
        task="multiclass",
        frames=kind.images,
    )


def _siblings(path: Path) -> list[str]:
    """Names beside a path that does not exist, to suggest from."""
    try:
        return sorted(entry.name for entry in path.parent.iterdir())
    except OSError:
        return []


def _report_labels_csv(folder: Path, manifest: Manifest, kind: FileKind) -> None:
    """Say that the folder was read through its labels.csv, and what that leaves out."""
    splits = "its splits are honoured" if manifest.splits is not None else "it has no splits"
    logger.info("%s is read through its labels.csv: %d images; %s.", folder, len(manifest), splits)
    try:
        unlisted = set(list_images(folder, kind=kind)) - {posixpath.normpath(image) for image in manifest.images}
    except DataError:  # the CSV may point to images that lie elsewhere
        return
    if unlisted:
        logger.warning(
            "%d images in %s are not in its labels.csv and are ignored (first: %s); "
            "list them with an empty label to use them.",
            len(unlisted),
            folder,
            min(unlisted),
        )


def _named_column(settings: ColumnSettings) -> str | None:
    """Return the first column that the user named."""
    names = settings.model_dump(include=set(LabelSettings.model_fields)).values()
    return next((name if isinstance(name, str) else name[0] for name in names if name), None)


def _from_files(files: Sequence[Path], kind: FileKind) -> Manifest:
    """Read images that are named one by one, or by a pattern; other files and hidden ones are passed over."""
    images = [file for file in files if file.is_file() and kind.includes(str(file)) and file.name[0] != "."]
    if not images:
        raise DataError(f"{files[0]} is no image that cass reads", f"cass reads {', '.join(kind.suffixes)}.")
    root = Path(os.path.commonpath([file.parent for file in images]))
    return build_manifest(
        root=root,
        images=tuple(file.relative_to(root).as_posix() for file in images),
        labels=[()] * len(images),
        labelled=[False] * len(images),
        task="multiclass",
        frames=kind.images,
    )


def _from_table(
    path: Path, settings: ColumnSettings | None, known: Sequence[str] = (), kind: FileKind = IMAGES
) -> Manifest:
    """Read a table of images."""
    given = settings.model_dump(include=set(LabelSettings.model_fields)) if settings is not None else {}
    settings = LabelSettings(**given)
    table = with_roles(read_table(path), settings)
    images = image_paths(table, kind=kind)
    label_columns = settings.label_columns or flag_columns(table, known=known)
    if label_columns:
        labels, labelled = labels_from_columns(table, label_columns)
        task: Task = "multilabel"
    else:
        labels, labelled, task = labels_from_names(table)
    used = {*ROLES, *label_columns}
    groups = table.columns.get("group")
    return build_manifest(
        root=path.parent,
        images=images,
        labels=labels,
        labelled=labelled,
        groups=groups if groups is not None and any(groups) else None,
        splits=split_names(table),
        task=task,
        metadata={name: cells for name, cells in table.columns.items() if name not in used},
        label_columns=label_columns,
        frames=kind.images,
    )


def build_manifest(
    *,
    root: Path,
    images: tuple[str, ...],
    labels: Sequence[tuple[str, ...]],
    labelled: Sequence[bool],
    task: Task,
    groups: Sequence[str] | None = None,
    splits: Sequence[str] | None = None,
    metadata: dict[str, list[str]] | None = None,
    label_columns: Sequence[str] = (),
    frames: bool = True,
) -> Manifest:
    """Turn lists of names into a manifest.

    Args:
        root: Folder that the image paths are relative to.
        images: N paths with forward slashes, relative to ``root``.
        labels: N tuples of class names.
        labelled: N flags.
        task: Whether an image has one class or any number.
        groups: N group names, or None.
        splits: N split names, or None.
        metadata: Other columns, each of N cells.
        label_columns: The 0/1 columns that the labels stand in: classes even where no image has them.
        frames: Whether a file of several pictures becomes a row for each.

    Returns:
        The manifest.
    """
    # Label columns stay classes even where no image has them; otherwise a class is a name that occurs.
    names = tuple(sorted(set(label_columns) or {name for row in labels for name in row}))
    column = {name: k for k, name in enumerate(names)}
    targets = np.zeros((len(images), len(names)), dtype=np.uint8)
    for i, row in enumerate(labels):
        targets[i, [column[name] for name in row]] = 1
    made = Manifest(
        root=root,
        images=images,
        classes=names,
        targets=targets,
        labelled=np.array(labelled, dtype=np.bool_),
        groups=None if groups is None else np.array(groups, dtype=np.str_),
        splits=None if splits is None else np.array(splits, dtype=np.str_),
        task=task,
        metadata={name: np.array(cells, dtype=np.object_) for name, cells in (metadata or {}).items()},
        label_columns=tuple(label_columns),
    )
    listed = list_frames(root, images, group=groups is None) if frames else None
    if listed is None:
        return made
    if listed.groups is not None:
        made = replace(made, groups=listed.groups)
    return replace(made.subset(listed.sources), images=listed.names)
