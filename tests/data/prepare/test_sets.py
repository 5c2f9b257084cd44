"""The public sets: small copies of their layouts, whole and not."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cass.data.prepare import brain_tumor_mri, dermofit, isic2019
from cass.data.prepare.brain_tumor_mri import read_brain_tumor_mri
from cass.data.prepare.dermofit import read_dermofit
from cass.data.prepare.isic2019 import read_isic2019
from cass.data.prepare.multilabel import read_multilabel
from cass.errors import DataError


def draw(path: Path, shade: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((4, 5, 3), shade % 256, dtype=np.uint8)).save(path)
    return path


def write_csv(path: Path, rows: list[dict[str, object]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return path


def isic(folder: Path, *, count: int = 24) -> Path:
    """The challenge's layout: images in a folder of their own, two CSV files beside it."""
    columns = ["MEL", "NV", "BCC", "AK", "BKL", "DF", "VASC", "SCC", "UNK"]
    truth, metadata = [], []
    for i in range(count):
        name = f"ISIC_{i:07d}" + ("_downsampled" if i % 5 == 0 else "")
        draw(folder / "ISIC_2019_Training_Input" / f"{name}.jpg", i)
        truth.append({"image": name} | {column: float(column == columns[i % 8]) for column in columns})
        lesion = "" if i % 8 == 7 else f"HAM_{i % 8 + 8 * (i // 16)}"
        metadata.append(
            {"image": name, "age_approx": 55, "anatom_site_general": "", "lesion_id": lesion, "sex": ""}
        )
    write_csv(folder / isic2019.TRUTH, truth)
    write_csv(folder / isic2019.METADATA, metadata[::-1])
    return folder


def test_isic_takes_labels_from_the_truth_and_groups_from_the_lesions(tmp_path: Path) -> None:
    prepared = read_isic2019(isic(tmp_path))
    manifest = prepared.manifest
    assert len(manifest) == 24
    assert manifest.classes == ("AK", "BCC", "BKL", "DF", "MEL", "NV", "SCC", "VASC")
    labels = [manifest.classes[row.argmax()] for row in manifest.targets]
    assert labels[:3] == ["MEL", "NV", "BCC"]
    assert manifest.groups is not None
    assert manifest.groups[:2].tolist() == manifest.groups[8:10].tolist() == ["HAM_0", "HAM_1"]
    assert manifest.groups[7] == ""
    assert manifest.splits is None
    assert all(manifest.path(row).is_file() for row in range(24))
    assert sum(prepared.expected.values()) == 25_331
    assert set(prepared.found.values()) == {3}
    assert prepared.notes == (
        "Of unknown lesion: 3 images; each is a group of its own, though some may show the same.",
    )


def test_isic_tells_what_is_missing(tmp_path: Path) -> None:
    isic(tmp_path)
    (tmp_path / "ISIC_2019_Training_Input" / "ISIC_0000003.jpg").unlink()
    draw(tmp_path / "ISIC_2019_Training_Input" / "ISIC_9999999.jpg")
    prepared = read_isic2019(tmp_path)
    assert len(prepared.manifest) == 23
    assert prepared.notes[0].endswith("are missing and ignored, such as ISIC_0000003.jpg.")
    assert "have no row in" in prepared.notes[1]
    (tmp_path / isic2019.METADATA).unlink()
    with pytest.raises(DataError, match=r"There is no ISIC_2019_Training_Metadata\.csv in .*Download"):
        read_isic2019(tmp_path)


@pytest.mark.parametrize("cells", [("1.0", "1.0"), ("0.0", "0.0"), ("1.0", "yes")])
def test_isic_refuses_a_row_that_names_no_single_class(tmp_path: Path, cells: tuple[str, str]) -> None:
    isic(tmp_path, count=2)
    path = tmp_path / isic2019.TRUTH
    lines = path.read_text().splitlines()
    lines[1] = ",".join(["ISIC_0000000_downsampled", *cells, *["0.0"] * 7])
    path.write_text("\n".join(lines))
    with pytest.raises(DataError, match="line 2 does not name exactly one class"):
        read_isic2019(tmp_path)


def test_dermofit_takes_folders_as_labels_and_leaves_masks_out(tmp_path: Path) -> None:
    for i, name in enumerate(dermofit.COUNTS):
        draw(tmp_path / name / f"A{i}.png", i)
        draw(tmp_path / name / f"A{i}mask.png", i)
        draw(tmp_path / name / "P10" / "P10a.png", i)
        draw(tmp_path / name / "P10" / "P10b.png", i)
    prepared = read_dermofit(tmp_path)
    assert sum(prepared.expected.values()) == 1300
    assert set(prepared.found.values()) == {3}
    assert not any("mask" in image for image in prepared.manifest.images)
    groups = prepared.manifest.groups
    assert groups is not None
    assert groups[:3].tolist() == ["AK-A0", "AK-P10", "AK-P10"]
    assert len(set(groups.tolist())) == 20
    (tmp_path / "SK").rename(tmp_path / "other")
    with pytest.raises(DataError, match="has no folder SK"):
        read_dermofit(tmp_path)


def test_brain_tumor_mri_keeps_the_official_split(tmp_path: Path) -> None:
    home = tmp_path / "archive"
    for folder in ("Training", "Testing"):
        for name in ("glioma", "meningioma", "notumor", "pituitary"):
            for i in range(3 if folder == "Training" else 1):
                draw(home / folder / name / f"{folder[:2]}-{name[:2]}_{i:04d}.jpg", i)
    for given in (tmp_path, home):
        prepared = read_brain_tumor_mri(given)
        assert prepared.manifest.splits is not None
        assert sorted(set(prepared.manifest.splits.tolist())) == ["test", "train"]
        assert prepared.found == {key: 3 if key[0] == "train" else 1 for key in brain_tumor_mri.COUNTS}
        assert sum(prepared.expected.values()) == 7023
        assert prepared.manifest.groups is None
        assert "cass split" in prepared.notes[0]
    (home / "Training" / "glioma").rename(home / "Training" / "no")
    with pytest.raises(DataError, match="classes that are not of this set: 'no'"):
        read_brain_tumor_mri(home)
    with pytest.raises(DataError, match="no folders Training and Testing"):
        read_brain_tumor_mri(home / "Testing")


def biopsies(folder: Path) -> Path:
    rows = []
    for i in range(6):
        draw(folder / f"slide{i // 2}" / f"b{i}.png", i)
        flags = ["", "", ""] if i == 5 else [i % 2, int(i == 1), 0]
        rows.append(
            {"biopsy": f"b{i}", "Patient": f"p{i // 2}", "age": 50 + i} | dict(zip("xyz", flags, strict=True))
        )
    draw(folder / "unlisted.png")
    return write_csv(folder / "findings.csv", rows)


def test_a_table_of_findings_becomes_a_multilabel_manifest(tmp_path: Path) -> None:
    prepared = read_multilabel(tmp_path, biopsies(tmp_path))
    manifest = prepared.manifest
    assert manifest.task == "multilabel"
    assert manifest.classes == ("x", "y", "z")
    assert manifest.images[:3] == ("slide0/b0.png", "slide0/b1.png", "slide1/b2.png")
    assert manifest.targets.tolist() == [[0, 0, 0], [1, 1, 0], [0, 0, 0], [1, 0, 0], [0, 0, 0], [0, 0, 0]]
    assert manifest.labelled.tolist() == [True] * 5 + [False]
    assert manifest.groups is not None
    assert manifest.groups.tolist() == ["p0", "p0", "p1", "p1", "p2", "p2"]
    assert prepared.found == {("", "x"): 2, ("", "y"): 1}
    assert [note.split()[0] for note in prepared.notes] == ["1", "Unlabelled:", "Without", "Groups"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("b3,", "b33,", r"findings\.csv line 5: there is no image 'b33'"),
        ("b3,", "b2,", "two rows of the image slide1/b2.png"),
        ("b3,p1,53,1,0,0", "b3,p1,53,1,2,0", "line 5: the label column 'y' holds '2'"),
        ("Patient", "person", "is a group of its own"),
    ],
)
def test_a_table_that_does_not_fit(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = biopsies(tmp_path)
    path.write_text(path.read_text().replace(old, new))
    if "group of its own" in message:
        assert message in read_multilabel(tmp_path, path).notes[-1]
        return
    with pytest.raises(DataError, match=message):
        read_multilabel(tmp_path, path, findings=("x", "y", "z"))


def test_names_that_fit_two_images_need_their_folder(tmp_path: Path) -> None:
    path = biopsies(tmp_path)
    draw(tmp_path / "elsewhere" / "b0.png")
    with pytest.raises(DataError, match=r"'b0' may be elsewhere/b0\.png or slide0/b0\.png"):
        read_multilabel(tmp_path, path)
    with pytest.raises(DataError, match=r"no column 'ages'"):
        read_multilabel(tmp_path, path, group_column="ages")
