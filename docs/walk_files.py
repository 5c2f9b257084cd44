"""The files that the commands of the documentation name, made of one image set, for docs/walk.py."""

from __future__ import annotations

import csv
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance

Row = dict[str, str]
GIVEN = "given.csv"
"""The labels with the splits that the set came with."""


def rows_of(table: Path) -> list[Row]:
    """Read a table of images."""
    with table.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write(table: Path, rows: Sequence[Row]) -> None:
    """Write a table of images."""
    table.parent.mkdir(parents=True, exist_ok=True)
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def chosen(rows: Sequence[Row], most: int) -> list[Row]:
    """Choose whole groups at random until there are enough training images."""
    groups = defaultdict(list)
    for number, row in enumerate(rows):
        groups[row.get("group") or str(number)].append(row)
    order = np.random.default_rng(0).permutation(list(groups))
    found: list[Row] = []
    for group in order:
        if sum(row.get("split", "train") == "train" for row in found) < most:
            found += groups[group]
    return found


def base(folder: Path, data: Path, *, most: int, env: dict[str, str], options: str) -> Path:
    """Make the folder that every workspace starts from: images, tables, and three runs.

    A third of the labels of the training images is left out, as users have them. Splits that leak are made anew
    with `cass split`, which is what cass tells its users to do.
    """
    rows = chosen(rows_of(data / "labels.csv"), most)
    for number, row in enumerate(rows):
        target = folder / "scans" / row["image"]
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(data / row["image"], target)
        row["image"] = f"scans/{row['image']}"
        if number % 3 == 0 and row.get("split", "train") == "train":
            row["label"] = ""
    write(folder / "labels.csv", rows)
    shutil.copyfile(folder / "labels.csv", folder / GIVEN)
    finetune = "cass finetune runs/pretrain --labels labels.csv --label-fraction 0.5 --epochs 1"
    commands = [
        "cass audit labels.csv > audit.txt || cass split labels.csv --out safe.csv",
        "test ! -e safe.csv || mv safe.csv labels.csv",
        f"{options} labels.csv --out runs/pretrain",
        f"{finetune} --out runs/tuned",
        f"{finetune} --out runs/other --seed 1",
        "cass evaluate runs/tuned --labels labels.csv",
        "cass evaluate runs/other --labels labels.csv",
    ]
    for command in commands:
        subprocess.run(["bash", "-c", command], cwd=folder, env=env, check=True, stdout=subprocess.DEVNULL)
    return folder


def workspace(folder: Path, base: Path, page: str, *, name: str) -> Path:
    """Make the workspace of one page about a set of some name."""
    shutil.copytree(base, folder)
    rows = rows_of(folder / "labels.csv")
    for copy in ("labelled.csv", "all-images.csv"):
        shutil.copyfile(folder / "labels.csv", folder / copy)
    for row in [row for row in rows if row.get("split", "test") == "test"][:12]:
        (folder / "new-scans").mkdir(exist_ok=True)
        with Image.open(folder / row["image"]) as image:
            image.convert("L").save(folder / "new-scans" / f"{Path(row['image']).stem}.png")
            image.save(folder / "scan.png")
    _hospital(folder, rows)
    if "own-images" in page:
        _workbook(folder, rows)
    if "dicom" in page:
        _series(folder / "scans", rows, folder)
    if "slides" in page:
        _slides(folder / "slides", rows, folder)
        _volumes(folder / "volumes", rows, folder)
        shutil.rmtree(folder / "scans")
        _series(folder / "scans", rows[:40], folder, from_base=base)
    if "recipes" in page:
        shutil.copytree(folder / "scans", folder / name / "scans")
        shutil.copyfile(folder / GIVEN, folder / name / "labels.csv")
    (folder / GIVEN).unlink()
    if "README" in page:
        _slides(folder / "slides", rows, folder)
    if "README" in page or "public-sets" in page:
        _public(folder, rows)
    if "offline" in page:
        _weights(folder / "weights")
        few = [path for path in sorted((folder / "scans").rglob("*")) if path.is_file()]
        for path in few[24:]:
            path.unlink()
    if "benchmark" in page:
        shutil.copytree(Path(__file__).parents[1] / "benchmarks", folder / "benchmarks")
    return folder


def _grey(path: Path, side: int = 64) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("L").resize((side, side)))


def _hospital(folder: Path, rows: Sequence[Row]) -> None:
    """Write images of another hospital: the same kinds, turned and darker, under other names."""
    labelled = [row for row in rows if row["label"]][:60]
    found = []
    for number, row in enumerate(labelled):
        target = folder / "hospital-b" / f"b{number:03}.png"
        target.parent.mkdir(exist_ok=True)
        with Image.open(folder / row["image"]) as image:
            ImageEnhance.Brightness(image.convert("RGB").rotate(90)).enhance(0.8).save(target)
        found.append({"image": target.name, "label": row["label"]})
    write(folder / "hospital-b" / "labels.csv", found)


def _workbook(folder: Path, rows: Sequence[Row]) -> None:
    import openpyxl

    book = openpyxl.Workbook()
    book.active.append(["file", "diagnosis", "patient"])
    for number, row in enumerate(rows):
        book.active.append([row["image"], row["label"], row.get("group") or f"p{number}"])
    book.save(folder / "biopsies.xlsx")


def _series(target: Path, rows: Sequence[Row], folder: Path, from_base: Path | None = None) -> None:
    """Replace the images by 16-bit DICOM files, in a folder for each class, two to a patient."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

    pictures = [(row, _grey((from_base or folder) / row["image"])) for row in rows[:80] if row["label"]]
    shutil.rmtree(target, ignore_errors=True)
    for number, (row, values) in enumerate(pictures):
        dataset = Dataset()
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset.SOPClassUID, dataset.SOPInstanceUID = SecondaryCaptureImageStorage, generate_uid()
        dataset.SeriesInstanceUID, dataset.InstanceNumber = generate_uid(), 1
        dataset.PatientID, dataset.PatientName = f"PID{number // 2:04}", "PLANTED^NAME"
        dataset.Rows, dataset.Columns = values.shape
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
        dataset.BitsAllocated = dataset.BitsStored = 16
        dataset.HighBit, dataset.PixelRepresentation = 15, 0
        dataset.PixelData = (values.astype(np.uint16) * 16).tobytes()
        path = target / row["label"] / f"{number:04}.dcm"
        path.parent.mkdir(parents=True, exist_ok=True)
        dataset.save_as(path, enforce_file_format=True)


def _slides(target: Path, rows: Sequence[Row], folder: Path) -> None:
    """Write pyramids of two levels: a mosaic of the set's images on white, in a folder for each class."""
    import tifffile

    classes = sorted({row["label"] for row in rows if row["label"]})
    for name in classes:
        for number in range(3):
            pictures = [row for row in rows if row["label"] == name][number * 9 : number * 9 + 9]
            slide = np.full((1536, 1536, 3), 245, np.uint8)
            for place, row in enumerate(pictures):
                top, left = 512 * (place // 3), 512 * (place % 3)
                grey = _grey(folder / row["image"], 448)
                slide[top : top + 448, left : left + 448] = np.stack([grey, grey // 2, 255 - grey // 3], axis=-1)
            path = target / name / f"slide-{number}.tif"
            path.parent.mkdir(parents=True, exist_ok=True)
            with tifffile.TiffWriter(path) as file:
                file.write(slide, tile=(256, 256), subifds=1, photometric="rgb")
                file.write(slide[::2, ::2], tile=(256, 256), subfiletype=1, photometric="rgb")


def _volumes(target: Path, rows: Sequence[Row], folder: Path) -> None:
    import nibabel

    target.mkdir()
    for number in range(4):
        slices = [_grey(folder / row["image"]) for row in rows[number * 12 : number * 12 + 12]]
        nibabel.save(
            nibabel.Nifti1Image(np.stack(slices, axis=-1).astype(np.int16), np.eye(4)),
            target / f"v{number}.nii.gz",
        )


def _public(folder: Path, rows: Sequence[Row]) -> None:
    """Lay out the set's images as the public sets are unpacked."""
    pictures = [folder / row["image"] for row in rows[:80]]
    names = [f"ISIC_{number:07}" for number in range(len(pictures))]
    kinds = ["MEL", "NV", "BCC", "AK", "BKL", "DF", "VASC", "SCC", "UNK"]
    isic, dermofit, brain = (folder / "downloads" / name for name in ("isic2019", "dermofit", "brain"))
    truth = [
        {"image": name, **{kind: f"{float(at % 8 == place):.1f}" for place, kind in enumerate(kinds)}}
        for at, name in enumerate(names)
    ]
    write(isic / "ISIC_2019_Training_GroundTruth.csv", truth)
    write(
        isic / "ISIC_2019_Training_Metadata.csv",
        [
            {"image": name, "age_approx": "50", "anatom_site_general": "", "lesion_id": f"L{at // 2}", "sex": ""}
            for at, name in enumerate(names)
        ],
    )
    codes = ("AK", "BCC", "DF", "IEC", "MEL", "ML", "PYO", "SCC", "SK", "VASC")
    classes = ("glioma", "meningioma", "notumor", "pituitary")
    findings = []
    for at, picture in enumerate(pictures):
        places = [
            isic / "ISIC_2019_Training_Input" / f"{names[at]}.jpg",
            dermofit / codes[at % 10] / f"A{at}.png",
            brain / ("Training" if at % 5 else "Testing") / classes[at % 4] / f"{at}.jpg",
            folder / "biopsies" / f"b{at:03}.png",
        ]
        for place in places:
            place.parent.mkdir(parents=True, exist_ok=True)
            with Image.open(picture) as image:
                image.convert("RGB").save(place)
        findings.append(
            {
                "biopsy": f"b{at:03}",
                "patient": f"p{at // 2}",
                "vasculitis": str(at % 2),
                "fibrosis": str(at % 3 // 2),
                "necrosis": "0" if at % 4 else "1",
            }
        )
    write(folder / "findings.csv", findings)


def _weights(target: Path) -> None:
    """Write random weights under the names that timm publishes."""
    import timm
    from safetensors.torch import save_file

    target.mkdir()
    for model, names in {
        "resnet50": ["resnet50.a1_in1k"],
        "vit_base_patch16_224": ["vit_base_patch16_224.augreg2_in21k_ft_in1k", "vit_base"],
    }.items():
        state = timm.create_model(model).state_dict()
        for name in names:
            save_file(state, target / f"{name}.safetensors")
