"""MedMNIST files: a set in one ``.npz``, unpacked once into images and a list of them.

Source: Yang et al., MedMNIST v2, Scientific Data 2023; names of the classes as in its package.
"""

from __future__ import annotations

import csv
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cass.data.formats.identity import image_digest
from cass.errors import DataError, OutputError
from cass.files import whole_folder
from cass.types import SPLITS, Split

PREFIX = "medmnist:"
LIST, FINDINGS = "labels.csv", "findings.txt"
_ORGANS = (
    "bladder, femur-left, femur-right, heart, kidney-left, kidney-right, liver, lung-left, lung-right, pancreas, "
    "spleen"
)
CLASSES = {
    "pathmnist": "adipose, background, debris, lymphocytes, mucus, smooth muscle, normal colon mucosa, "
    "cancer-associated stroma, colorectal adenocarcinoma epithelium",
    "chestmnist": "atelectasis, cardiomegaly, effusion, infiltration, mass, nodule, pneumonia, pneumothorax, "
    "consolidation, edema, emphysema, fibrosis, pleural, hernia",
    "dermamnist": "actinic keratoses and intraepithelial carcinoma, basal cell carcinoma, "
    "benign keratosis-like lesions, dermatofibroma, melanoma, melanocytic nevi, vascular lesions",
    "octmnist": "choroidal neovascularization, diabetic macular edema, drusen, normal",
    "pneumoniamnist": "normal, pneumonia",
    "retinamnist": "0, 1, 2, 3, 4",
    "breastmnist": "malignant, normal or benign",
    "bloodmnist": "basophil, eosinophil, erythroblast, immature granulocytes, lymphocyte, monocyte, neutrophil, "
    "platelet",
    "tissuemnist": "collecting duct or connecting tubule, distal convoluted tubule, glomerular endothelial cells, "
    "interstitial endothelial cells, leukocytes, podocytes, proximal tubule segments, thick ascending limb",
    "organamnist": _ORGANS,
    "organcmnist": _ORGANS,
    "organsmnist": _ORGANS,
}


def unpack_medmnist(path: Path, cache: Path) -> tuple[Path, tuple[str, ...]]:
    """Unpack a file into a folder of the cache, or take the one unpacked before.

    Args:
        path: An ``.npz`` with ``train_images``, ``train_labels`` and the same of ``val`` and ``test``: images
            (N, H, W) or (N, H, W, 3) of 8 bits, labels (N, 1) of class numbers or (N, K) of 0 and 1.
        cache: Folder to keep it in.

    Returns:
        A CSV with the columns ``image``, ``label`` and ``split``, or a column for each finding of a multi-label
        set; and the names of those columns, none for a set of classes. Splits are the official ones. A file of an
        unknown name has classes called by their numbers.

    Raises:
        DataError: It is damaged, or no MedMNIST file of pictures.
        OutputError: The cache cannot be written.
    """
    folder = cache / f"medmnist-{image_digest(path)}"
    if not folder.is_dir():
        try:
            with whole_folder(folder, existing="keep") as partial:  # another process may be first
                (partial / "images").mkdir()
                _unpack(path, partial)
        except OSError as error:
            raise OutputError(
                f"Cannot unpack {path} into {cache}: {error.strerror or error}",
                "Name a folder with room in the environment variable CASS_CACHE_DIR.",
            ) from None
    findings = folder / FINDINGS
    names = tuple(findings.read_text(encoding="utf-8").splitlines()) if findings.is_file() else ()
    return folder / LIST, names


def fetch_medmnist(name: str, cache: Path) -> Path:
    """Download a set by its name through the medmnist package.

    Args:
        name: Such as ``breastmnist``, or ``breastmnist-224`` for the larger pictures.
        cache: Folder to keep it in.

    Returns:
        The ``.npz``.

    Raises:
        DataError: The name is unknown, the package is missing, or it cannot be downloaded.
    """
    kind, _, size = name.partition("-")
    if kind not in CLASSES or (size and size not in ("64", "128", "224")):
        raise DataError(
            f"There is no MedMNIST set {name!r}", f"There are: {', '.join(sorted(CLASSES))}; each also with -224."
        )
    path = cache / "medmnist" / (f"{kind}_{size}.npz" if size else f"{kind}.npz")
    if path.is_file():
        return path
    try:
        import medmnist
    except ImportError:
        raise DataError(
            f"{PREFIX}{name} needs the medmnist package",
            f"Install it: pip install medmnist; or download {path.name} yourself and give the file.",
        ) from None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        taken: Any = getattr(medmnist, medmnist.INFO[kind]["python_class"])
        taken(split="train", download=True, root=str(path.parent), size=int(size or 28))
    except Exception as error:  # whatever a download may raise
        why = " ".join(str(error).split())[:200] or type(error).__name__
        raise DataError(
            f"Cannot download {PREFIX}{name} ({why})", "Download the .npz yourself, and give it."
        ) from None
    return path


def _unpack(path: Path, folder: Path) -> None:
    """Write every picture as PNG, and the list."""
    from PIL import Image

    try:
        with zipfile.ZipFile(path) as archive:
            labels = {split: _labels(archive, split) for split in SPLITS}
            several = next(iter(labels.values())).shape[1] > 1
            names = _set_names(path, labels)
            with (folder / LIST).open("w", newline="", encoding="utf-8") as file:
                writer = csv.writer(file)
                writer.writerow(["image", *(names if several else ["label"]), "split"])
                for split in SPLITS:
                    for number, pixels in enumerate(_packed_pictures(archive, split, count=len(labels[split]))):
                        image = f"images/{split}-{number:06d}.png"
                        Image.fromarray(pixels).save(folder / image)
                        row = labels[split][number]
                        writer.writerow([image, *(row.tolist() if several else [names[int(row[0])]]), split])
            if several:
                (folder / FINDINGS).write_text("\n".join(names) + "\n", encoding="utf-8")
    except (KeyError, ValueError, IndexError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        why = " ".join(str(error).split())[:200]
        raise DataError(
            f"{path} is damaged, or no MedMNIST file of 2D pictures ({why})",
            "It needs train_images and train_labels, and the same of val and test; download it again.",
        ) from None


def _set_names(path: Path, labels: dict[Split, NDArray[np.int64]]) -> list[str]:
    """Return the names of the classes or findings; numbers where the file's name does not tell."""
    width = next(iter(labels.values())).shape[1]
    count = width if width > 1 else 1 + max(int(part.max()) for part in labels.values())
    match = re.match(r"([a-z]+mnist)(_\d+)?$", path.stem)
    known = CLASSES.get(match.group(1), "").split(", ") if match else []
    return known if len(known) >= count else [str(number) for number in range(count)]


def _labels(archive: zipfile.ZipFile, split: str) -> NDArray[np.int64]:
    with archive.open(f"{split}_labels.npy") as file:
        labels = np.lib.format.read_array(file, allow_pickle=False)
    if labels.ndim != 2 or not len(labels) or labels.min() < 0:
        raise ValueError(f"{split}_labels is no table of class numbers")
    return labels.astype(np.int64)


def _packed_pictures(archive: zipfile.ZipFile, split: str, *, count: int) -> Iterator[NDArray[np.uint8]]:
    """Yield the pictures one by one: sets of large pictures do not fit into memory."""
    with archive.open(f"{split}_images.npy") as file:
        version = np.lib.format.read_magic(file)
        read: Any = (
            np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        )
        shape, by_column, dtype = read(file)
        pictures = len(shape) == 3 or (len(shape) == 4 and shape[3] == 3)
        if dtype != np.uint8 or by_column or not pictures or shape[0] != count:
            raise ValueError(f"{split}_images is {dtype} {shape} for {count} labels")
        size = int(np.prod(shape[1:]))
        for _ in range(count):
            content = file.read(size)
            if len(content) < size:
                raise EOFError(f"{split}_images ends early")
            yield np.frombuffer(content, dtype=np.uint8).reshape(shape[1:])
