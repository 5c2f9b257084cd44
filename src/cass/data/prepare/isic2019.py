"""ISIC 2019: 25,331 dermoscopic images of eight classes, as the challenge hands them out."""

from __future__ import annotations

from pathlib import Path

from cass.data.manifest.manifest import build_manifest
from cass.data.manifest.table import Table, read_table
from cass.data.prepare.prepared import Prepared, check_folder, find_file
from cass.errors import DataError

TRUTH = "ISIC_2019_Training_GroundTruth.csv"
METADATA = "ISIC_2019_Training_Metadata.csv"
COUNTS = {"AK": 867, "BCC": 3323, "BKL": 2624, "DF": 239, "MEL": 4522, "NV": 12875, "SCC": 628, "VASC": 253}
_FIX = "Download the training data, ground truth and metadata of ISIC 2019 and unpack them into one folder."


def read_isic2019(folder: Path) -> Prepared:
    """Read the training set of the challenge; its test set is not used.

    Args:
        folder: Holds the two CSV files and, at any depth, the images ``ISIC_*.jpg``.

    Returns:
        Labels from the ground truth; the lesion as group, where the metadata name it.

    Raises:
        DataError: A CSV or all images are missing, or the two CSV files do not fit each other.

    Source:
        challenge.isic-archive.com, ISIC 2019, task 1.
    """
    check_folder(folder)
    truth = read_table(find_file(folder, TRUTH, _FIX))
    lesions = _lesions(read_table(find_file(folder, METADATA, _FIX)))
    names = [name for name in truth.columns if name != "image"]
    if "image" not in truth.columns or not set(COUNTS) <= set(names):
        raise DataError(f"{truth.path} lacks the columns image, {', '.join(COUNTS)}", "Download it again.")
    files = {path.stem: path.relative_to(folder).as_posix() for path in sorted(folder.rglob("ISIC_*.jpg"))}
    images, labels, groups, missing = [], [], [], []
    for row, image in enumerate(truth.columns["image"]):
        if image not in files:
            missing.append(image)
            continue
        if image not in lesions:
            raise DataError(f"{METADATA} has no row of {image}, {TRUTH} has", "Download both again.")
        images.append(files[image])
        labels.append(_label(truth, row, names))
        groups.append(lesions[image])
    if not images:
        raise DataError(f"None of the {len(truth):,} images of {TRUTH} is in {folder}", _FIX)
    notes = []
    if missing:
        notes.append(f"{len(missing):,} images of {TRUTH} are missing and ignored, such as {missing[0]}.jpg.")
    unlisted = len(files) - len(images)
    if unlisted:
        notes.append(f"{unlisted:,} images have no row in {TRUTH} and are ignored.")
    alone = groups.count("")
    if alone:
        notes.append(
            f"Of unknown lesion: {alone:,} images; each is a group of its own, though some may show the same."
        )
    manifest = build_manifest(
        root=folder,
        images=tuple(images),
        labels=labels,
        labelled=[bool(label) for label in labels],
        task="multiclass",
        groups=groups,
    )
    return Prepared(manifest, {("", name): count for name, count in COUNTS.items()}, tuple(notes))


def _lesions(table: Table) -> dict[str, str]:
    for name in ("image", "lesion_id"):
        if name not in table.columns:
            raise DataError(f"{table.path} has no column {name!r}", "Download it again.")
    return dict(zip(table.columns["image"], table.columns["lesion_id"], strict=True))


def _label(truth: Table, row: int, names: list[str]) -> tuple[str, ...]:
    """Return the one class of a row."""
    cells = {name: truth.columns[name][row] for name in names}
    given = [name for name, cell in cells.items() if cell in ("1", "1.0")]
    others = [cell for cell in cells.values() if cell not in ("0", "0.0", "1", "1.0")]
    if len(given) != 1 or others:
        line = truth.lines[row]
        raise DataError(f"{truth.path} line {line} does not name exactly one class", "Download it again.")
    return (given[0],)
