"""A manifest as the CSV that it can be read from again."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path

from cass.data.manifest.manifest import Manifest
from cass.listing import plain_path


def manifest_csv(manifest: Manifest, *, folder: Path | None) -> str:
    """Write a manifest as CSV.

    Args:
        manifest: N images.
        folder: Folder of the CSV, which its paths are relative to; None writes full paths.

    Returns:
        The CSV: ``image``, the labels as they were read (0/1 columns, or one column ``label``), ``group`` and
        ``split`` where the manifest has them, and all other columns.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    labels = list(manifest.label_columns) or (["label"] if manifest.classes else [])
    given = {"group": manifest.groups, "split": manifest.splits}
    belongings = {name: cells for name, cells in given.items() if cells is not None}
    writer.writerow(["image", *labels, *belongings, *manifest.metadata])
    root = str(manifest.root.resolve())
    if folder is not None:
        root = os.path.relpath(root, folder.resolve())
    for row, image in enumerate(manifest.images):
        line = [plain_path(os.path.normpath(os.path.join(root, image)).replace(os.sep, "/"))]
        if manifest.label_columns:
            flags = dict(zip(manifest.classes, manifest.targets[row], strict=True))
            line += [str(flags[name]) if manifest.labelled[row] else "" for name in manifest.label_columns]
        elif labels:
            line.append(
                "|".join(name for name, flag in zip(manifest.classes, manifest.targets[row], strict=True) if flag)
            )
        line += [str(cells[row]) for cells in belongings.values()]
        writer.writerow([*line, *(cells[row] for cells in manifest.metadata.values())])
    return text.getvalue()
