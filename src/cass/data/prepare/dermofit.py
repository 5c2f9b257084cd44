"""The Dermofit image library: 1,300 photographs of skin lesions of ten classes."""

from __future__ import annotations

import re
from pathlib import Path

from cass.data.manifest.manifest import build_manifest
from cass.data.prepare.prepared import Prepared, check_folder, natural
from cass.errors import DataError

COUNTS = {
    "AK": 45,
    "BCC": 239,
    "DF": 65,
    "IEC": 78,
    "MEL": 76,
    "ML": 331,
    "PYO": 24,
    "SCC": 88,
    "SK": 257,
    "VASC": 97,
}
"""Actinic keratosis, basal cell carcinoma, dermatofibroma, intraepithelial carcinoma, malignant melanoma,
melanocytic nevus, pyogenic granuloma, squamous cell carcinoma, seborrhoeic keratosis, haemangioma."""


def read_dermofit(folder: Path) -> Prepared:
    """Read the library, with its masks left out.

    Args:
        folder: Holds a folder for each class, named by its code (``AK``, ``BCC``, ...), with PNG files at any
            depth.

    Returns:
        The folder as label. Files whose names differ only in a letter at the end (``B12a``, ``B12b``) are a group.

    Raises:
        DataError: A class has no folder or no image.

    Source:
        Ballerini, Fisher, Aldridge, Rees, A Color and Texture Based Hierarchical K-NN Approach to the
        Classification of Non-melanoma Skin Lesions, 2013.
    """
    check_folder(folder)
    images: list[str] = []
    labels: list[tuple[str, ...]] = []
    groups: list[str] = []
    for name in COUNTS:
        home = _home(folder, name)
        files = [path for path in home.rglob("*") if path.suffix.lower() == ".png" and not _is_mask(path)]
        if not files:
            raise DataError(f"{home} holds no PNG image", "Unpack the zip file of this class there.")
        for path in sorted(files, key=lambda path: natural(path.relative_to(home).as_posix())):
            images.append(path.relative_to(folder).as_posix())
            labels.append((name,))
            groups.append(f"{name}-{re.sub(r'(?<=[0-9])[A-Za-z]$', '', path.stem)}")
    manifest = build_manifest(
        root=folder,
        images=tuple(images),
        labels=labels,
        labelled=[True] * len(images),
        task="multiclass",
        groups=groups,
    )
    return Prepared(manifest, {("", name): count for name, count in COUNTS.items()})


def _home(folder: Path, name: str) -> Path:
    """Find the folder of a class, in any case, at most two levels down."""
    for pattern in ("*", "*/*"):
        for path in sorted(folder.glob(pattern)):
            if path.is_dir() and path.name.upper() == name:
                return path
    raise DataError(
        f"{folder} has no folder {name}", f"Unpack the ten zip files of the library there: {', '.join(COUNTS)}."
    )


def _is_mask(path: Path) -> bool:
    return path.stem.lower().endswith("mask")
