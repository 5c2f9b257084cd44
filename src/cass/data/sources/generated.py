"""The built-in set: cell images that cass draws itself, so that every command runs without any data.

They are drawn, not taken from patients, and are named as generated wherever they appear.
"""

from __future__ import annotations

import csv
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cass.data.sources.generated_cells import draw_cell, draw_stain
from cass.errors import DataError, OutputError
from cass.files import cache_folder, whole_folder, write_text
from cass.seeds import derive_seed

GENERATED_VERSION = 2
CLASSES = ("lobed-granular", "round-smooth", "round-granular", "lobed-smooth")
SHARES = (0.48, 0.27, 0.16, 0.09)
IMAGES_PER_PATIENT = 20
NOTE = """These images were drawn by cass (cass.data.sources.generated). They are not patient data.
Patients, sites and stains are names for what varies together in the drawing.
"""


def generated_dataset(root: Path | None = None, *, seed: int = 0, count: int = 1200, image_size: int = 64) -> Path:
    """Draw the generated set, or take the one drawn before.

    Args:
        root: Folder to keep it in; None takes :func:`cache_folder`.
        seed: Seed; the same seed gives the same bytes.
        count: Number of images, at least 120.
        image_size: Side of the images, in pixels.

    Returns:
        A folder with ``labels.csv`` (``image,label,group,site,split``) and the images as 8-bit RGB PNG. Four
        classes of 48, 27, 16 and 9%; 20 images a patient; 70/10/20% of the patients in train, val and test.

    Raises:
        DataError: ``count`` or ``image_size`` is too small, or images of a set drawn before are gone.
        OutputError: The folder cannot be written.
    """
    if count < 120 or image_size < 16:
        raise DataError(
            f"The generated set cannot be {count} images of {image_size} px", "Take 120 images and 16 px or more."
        )
    root = cache_folder() if root is None else root
    folder = root / f"generated-cells-v{GENERATED_VERSION}-seed{seed}-{count}x{image_size}"
    if not folder.is_dir():
        try:
            with whole_folder(folder, existing="keep") as partial:  # another process may draw the same set
                _draw_set(partial, seed=seed, count=count, image_size=image_size)
        except OSError as error:
            raise OutputError(
                f"Cannot write the generated images to {root}: {error.strerror or error}",
                "Name a folder that can be written in the environment variable CASS_CACHE_DIR.",
            ) from None
    present = sum(1 for _ in folder.glob("images/*.png"))
    if present != count or not (folder / "labels.csv").is_file():
        raise DataError(
            f"{folder} is damaged: it holds {present} of {count} images", "Delete it; cass draws it again."
        )
    return folder


def _draw_set(folder: Path, *, seed: int, count: int, image_size: int) -> None:
    (folder / "images").mkdir()
    rng = np.random.default_rng(derive_seed(seed, "generated"))
    patients = max(6, round(count / IMAGES_PER_PATIENT))
    patient_of = np.sort(np.arange(count) % patients)
    sites = rng.integers(0, 2, patients)
    stains = [draw_stain(int(site), rng=rng) for site in sites]
    # Each patient has a mix of classes of its own around the shares of the whole set.
    mixes = rng.dirichlet(12 * np.array(SHARES), size=patients)
    labels = np.array([rng.choice(len(CLASSES), p=mixes[patient]) for patient in patient_of])
    splits = _splits(patients, rng=rng)

    def draw(index: int) -> None:
        from PIL import Image

        name = CLASSES[labels[index]]
        pixels = draw_cell(
            lobed=name.startswith("lobed"),
            granular=name.endswith("granular"),
            stain=stains[patient_of[index]],
            image_size=image_size,
            rng=np.random.default_rng(derive_seed(seed, "cell", index)),
        )
        Image.fromarray(pixels).save(folder / "images" / f"{index:05d}.png")

    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        list(pool.map(draw, range(count)))
    with (folder / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "label", "group", "site", "split"])
        for index, patient in enumerate(patient_of):
            row = [f"images/{index:05d}.png", CLASSES[labels[index]], f"generated-patient-{patient:02d}"]
            writer.writerow([*row, f"generated-site-{sites[patient]}", splits[patient]])
    write_text(folder / "README.txt", NOTE)


def _splits(patients: int, *, rng: np.random.Generator) -> NDArray[np.str_]:
    """Share the patients out: 10% validation and 20% test, at least one each."""
    splits = np.full(patients, "train", dtype="<U5")
    val, test = max(1, round(0.1 * patients)), max(1, round(0.2 * patients))
    order = rng.permutation(patients)
    splits[order[:val]] = "val"
    splits[order[val : val + test]] = "test"
    return splits
