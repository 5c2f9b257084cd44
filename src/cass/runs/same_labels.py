"""The digest of the labels that unfinished work began with: no label is stored, and a change is noticed."""

from __future__ import annotations

import hashlib
from pathlib import Path

from cass.data.manifest.manifest import Manifest
from cass.errors import DataError
from cass.files import write_text

LABEL_DIGEST = "labels.sha256"


def keep_labels(folder: Path, manifest: Manifest) -> None:
    """Write the digest of all labels into a folder.

    Args:
        folder: Folder of the work that begins.
        manifest: The data set.
    """
    write_text(folder / LABEL_DIGEST, _label_digest(manifest))


def require_same_labels(folder: Path, manifest: Manifest) -> None:
    """Make sure that the labels are those that the work in a folder began with.

    Args:
        folder: Folder of the work that is continued; that of version 0.2 has no digest, and is not checked.
        manifest: The data set as it is now.

    Raises:
        DataError: They are not; restore them, or begin again.
    """
    path = folder / LABEL_DIGEST
    if path.is_file() and path.read_text(encoding="utf-8") != _label_digest(manifest):
        raise DataError(
            f"Labels changed since the work in {folder} began", "Restore them, or start again with another --out."
        )


def _label_digest(manifest: Manifest) -> str:
    return hashlib.sha256(manifest.targets.tobytes() + manifest.labelled.tobytes()).hexdigest()
