"""The brain-tumour MRI set: 7,023 slices in folders Training and Testing."""

from __future__ import annotations

from pathlib import Path

from cass.data.manifest.folders import read_folder
from cass.data.manifest.manifest import build_manifest
from cass.data.prepare.prepared import Prepared, check_folder
from cass.errors import DataError

COUNTS = {
    ("train", "glioma"): 1321,
    ("train", "meningioma"): 1339,
    ("train", "notumor"): 1595,
    ("train", "pituitary"): 1457,
    ("test", "glioma"): 300,
    ("test", "meningioma"): 306,
    ("test", "notumor"): 405,
    ("test", "pituitary"): 300,
}
NO_PATIENTS = (
    "The set does not say which slices are of one patient: Testing shows patients of Training, and figures "
    "on it come out too good. cass audit says how far; cass split keeps at least look-alikes together."
)


def read_brain_tumor_mri(folder: Path) -> Prepared:
    """Read the set with its official split.

    Args:
        folder: Holds ``Training`` and ``Testing`` with ``glioma``, ``meningioma``, ``notumor``, ``pituitary``;
            it may lie one level down.

    Returns:
        Training as train and Testing as test; there are no groups.

    Raises:
        DataError: The folders are not these.

    Source:
        M. Nickparvar, Brain Tumor MRI Dataset, doi 10.34740/kaggle/dsv/2645886.
    """
    check_folder(folder)
    home = next(
        (path.parent for path in sorted([folder / "Training", *folder.glob("*/Training")]) if path.is_dir()), None
    )
    if home is None or not (home / "Testing").is_dir():
        raise DataError(
            f"{folder} has no folders Training and Testing", "Give the folder that the archive was unpacked to."
        )
    layout = read_folder(home)
    classes = {name for _, name in COUNTS}
    strange = sorted(set(layout.labels) - classes)
    if strange or layout.splits is None:
        raise DataError(
            f"{home} has classes that are not of this set: {', '.join(map(repr, strange))}",
            f"Its classes are {', '.join(sorted(classes))}.",
        )
    manifest = build_manifest(
        root=home,
        images=layout.images,
        labels=[(label,) for label in layout.labels],
        labelled=[True] * len(layout.images),
        task="multiclass",
        splits=layout.splits,
    )
    return Prepared(manifest, COUNTS, (NO_PATIENTS,))
