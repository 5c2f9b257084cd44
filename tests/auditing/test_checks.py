"""Sets that are wrong in known ways, and what the audit says of each."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy import ndimage

from cass.auditing.checks import Audit, audit_set
from cass.auditing.facts import gather_facts, take
from cass.auditing.findings import Finding
from cass.auditing.safe_splits import safe_splits
from cass.config.shared import LabelSettings
from cass.data.manifest.csv_text import manifest_csv
from cass.data.manifest.manifest import load_manifest

COMMAND = "cass split labels.csv --out safe.csv"


def picture(rng: np.random.Generator, size: tuple[int, int] = (48, 48)) -> Image.Image:
    field = ndimage.gaussian_filter(rng.normal(size=size), 4)
    return Image.fromarray((255 * (field - field.min()) / (field.max() - field.min())).astype(np.uint8))


def write(folder: Path, *, count: int = 60, odd_size: bool = False, site: bool = False) -> pd.DataFrame:
    """Write distinct pictures of two classes, two a group, with given splits."""
    rng = np.random.default_rng(0)
    rows = []
    for number in range(count):
        label = "sick" if number % 4 < 2 else "well"
        name = f"{number:03d}.png"
        size = (48, 60) if odd_size and label == "sick" else (48, 48)
        picture(rng, size).save(folder / name)
        group = f"patient {number // 2}"
        split = ("train", "train", "train", "val", "test")[number // 4 % 5]
        rows.append({"image": name, "label": label, "group": group, "split": split})
        if site:
            rows[-1]["site"] = "north" if (label == "sick") == (number % 10 > 0) else "south"
    table = pd.DataFrame(rows)
    table.to_csv(folder / "labels.csv", index=False)
    return table


def audit(folder: Path) -> Audit:
    manifest = load_manifest(folder / "labels.csv")
    facts = gather_facts([manifest.path(row) for row in range(len(manifest))])
    assert manifest.splits is not None
    return audit_set(manifest, facts, manifest.splits, splits_source="given", split_command=COMMAND)


def of(found: Audit, topic: str) -> Finding:
    (finding,) = [finding for finding in found.findings if finding.topic == topic]
    return finding


def test_a_sound_set_has_nothing_serious(tmp_path: Path) -> None:
    write(tmp_path)
    found = audit(tmp_path)
    assert not found.serious
    assert not found.findings
    assert found.classes["sick"] == {"images": 30, "train": 18, "val": 6, "test": 6}
    assert found.fractions["10%"] == {"sick": 2, "well": 2}


def test_copies_across_splits_are_serious(tmp_path: Path) -> None:
    table = write(tmp_path)
    train, test = (table.image[table.split == split].iloc[0] for split in ("train", "test"))
    shutil.copy(tmp_path / train, tmp_path / test)
    with Image.open(tmp_path / table.image[table.split == "train"].iloc[3]) as opened:
        opened.resize((96, 96)).save(tmp_path / table.image[table.split == "val"].iloc[1])
    found = audit(tmp_path)
    assert found.serious
    assert "1 of 1 sets of identical files" in of(found, "leakage: copies").what
    assert of(found, "leakage: copies").fix == COMMAND
    assert "2 of 2 families" in of(found, "leakage: near-duplicates").what
    shown = of(found, "leakage: copies").families[0]
    assert {found.images[row] for row in shown} == {train, test}


def test_a_patient_in_two_splits_is_serious(tmp_path: Path) -> None:
    table = write(tmp_path)
    table.loc[0, "split"] = "test"
    table.to_csv(tmp_path / "labels.csv", index=False)
    assert (
        "1 of 30 groups lie in more than one split (2 images, 1 of them"
        in of(audit(tmp_path), "leakage: groups").what
    )


def test_one_image_under_two_labels(tmp_path: Path) -> None:
    table = write(tmp_path)
    shutil.copy(tmp_path / table.image[0], tmp_path / table.image[2])
    finding = next(entry for entry in audit(tmp_path).findings if entry.topic == "labels")
    assert finding.level == "serious"
    assert finding.families == ((0, 2),)


def test_files_that_cannot_be_read_or_are_empty_or_turned(tmp_path: Path) -> None:
    table = write(tmp_path)
    (tmp_path / table.image[5]).write_bytes(b"no picture")
    Image.new("L", (48, 48)).save(tmp_path / table.image[6])
    turned = picture(np.random.default_rng(9))
    exif = turned.getexif()
    exif[274] = 3
    turned.save(tmp_path / table.image[7], exif=exif)
    found = audit(tmp_path)
    assert of(found, "unreadable").images == (5,)
    assert of(found, "empty").images == (6,)
    assert of(found, "rotation").images == (7,)


def test_a_label_that_the_size_gives_away(tmp_path: Path) -> None:
    write(tmp_path, odd_size=True)
    found = audit(tmp_path)
    finding = of(found, "shortcut")
    assert "balanced accuracy of 100% (chance: 50%); the strongest are width (100%)" in finding.what
    assert "nearly always give 'sick' away (width" in finding.what
    assert not found.serious


def test_a_site_that_goes_with_the_label(tmp_path: Path) -> None:
    write(tmp_path, site=True)
    finding = of(audit(tmp_path), "site")
    assert "is correlated with the label (balanced accuracy" in finding.what
    assert "'site' that is not in train" in finding.fix


def test_a_class_of_too_few_test_images(tmp_path: Path) -> None:
    table = write(tmp_path)
    table.loc[[0, 18], "label"] = "rare"
    table.to_csv(tmp_path / "labels.csv", index=False)
    found = audit(tmp_path)
    finding = of(found, "classes")
    assert "'rare' cannot be evaluated: 2 images in all, 1 of them test images" in finding.what
    assert finding.images == (0, 18)
    assert "'sick' has 14 times as many" in of(found, "imbalance").what


def test_safe_splits_mend_what_leaks(tmp_path: Path) -> None:
    table = write(tmp_path)
    rng = np.random.default_rng(0)
    table["split"] = rng.choice(["train", "val", "test"], len(table))
    for source, target in ((0, 20), (4, 33)):
        with Image.open(tmp_path / table.image[source]) as opened:
            opened.resize((80, 80)).save(tmp_path / table.image[target])
    table.to_csv(tmp_path / "labels.csv", index=False)
    assert audit(tmp_path).serious
    manifest = load_manifest(tmp_path / "labels.csv")
    facts = gather_facts([manifest.path(row) for row in range(len(manifest))])
    splits = safe_splits(manifest, facts, seed=3, ratios=(0.6, 0.2, 0.2))
    assert (splits == safe_splits(manifest, facts, seed=3, ratios=(0.6, 0.2, 0.2))).all()
    (tmp_path / "lists").mkdir()
    text = manifest_csv(replace(manifest, splits=splits), folder=tmp_path / "lists")
    (tmp_path / "lists" / "labels.csv").write_text(text)
    mended = audit(tmp_path / "lists")
    assert not [finding for finding in mended.findings if finding.topic.startswith("leakage")]
    again = load_manifest(tmp_path / "lists" / "labels.csv")
    assert (again.targets == manifest.targets).all()
    assert again.groups is not None
    assert again.groups.tolist() == table.group.tolist()


def test_a_mended_list_keeps_flags_and_other_columns(tmp_path: Path) -> None:
    table = write(tmp_path, count=12, site=True).drop(columns=["label"])
    table["oedema"] = [1, 0, "", 1, 0, 1, 1, 0, 0, 1, 1, 0]
    table["mass"] = [0, 0, "", 1, 1, 1, 0, 0, 1, 1, 0, 0]
    table.to_csv(tmp_path / "labels.csv", index=False)
    manifest = load_manifest(tmp_path / "labels.csv", LabelSettings(label_columns=("oedema", "mass")))
    assert manifest.splits is not None
    text = manifest_csv(manifest, folder=tmp_path)
    (tmp_path / "again.csv").write_text(text)
    again = load_manifest(tmp_path / "again.csv", LabelSettings(label_columns=("oedema", "mass")))
    assert (again.targets == manifest.targets).all()
    assert (again.labelled == manifest.labelled).all()
    assert again.metadata["site"].tolist() == table.site.tolist()


@pytest.mark.parametrize("rows", [[], [3, 1]])
def test_facts_of_a_part(tmp_path: Path, rows: list[int]) -> None:
    write(tmp_path, count=4)
    facts = gather_facts([tmp_path / f"{number:03d}.png" for number in range(4)])
    assert take(facts, np.array(rows, dtype=np.int64)).digests == [facts.digests[row] for row in rows]
