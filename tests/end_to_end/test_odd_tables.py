"""Tables, folders and image lists as users have them, through the real command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import dicom_files
from cass.cli import main
from conftest import TINY, draw, write_scans
from tiny_runs import write_images, write_run

Command = Callable[..., int]


@pytest.fixture
def cass(monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run a command in this process; returns its exit code."""

    def run(*words: object) -> int:
        monkeypatch.setattr("sys.argv", ["cass", *map(str, words)])
        try:
            main()
        except SystemExit as left:
            return int(left.code or 0)
        return 0

    return run


def audited(cass: Command, *words: object, folder: Path) -> dict[str, Any]:
    """Audit a set and return what was found."""
    report = folder / "audit.json"
    assert cass("audit", *words, "--json", report, "--overwrite") == 0
    return json.loads(report.read_text())


def rewritten(scans: Path, name: str, **columns: str) -> pd.DataFrame:
    """The table of the scans, with other column names."""
    return pd.read_csv(scans, dtype=str, keep_default_na=False).rename(columns=columns)


@pytest.mark.parametrize("separator", [";", "\t"])
def test_text_with_semicolons_or_tabs(cass: Command, tmp_path: Path, separator: str) -> None:
    scans = write_scans(tmp_path)
    rewritten(scans, "").to_csv(scans, sep=separator, index=False)
    found = audited(cass, scans, folder=tmp_path)
    assert sorted(found["classes"]) == ["cross", "disc", "stripes"]


def test_a_spreadsheet_with_columns_of_its_own(cass: Command, tmp_path: Path) -> None:
    table = tmp_path / "list.xlsx"
    scans = write_scans(tmp_path)
    own = rewritten(scans, "", image="file", label="diagnosis", group="patient")
    own["patient"] = own["patient"].str.removeprefix("patient").astype(float)  # 7.0 in Excel is the patient 7
    own.to_excel(table, index=False)
    columns = ("--image-column", "file", "--label-column", "diagnosis", "--group-column", "patient")
    found = audited(cass, table, *columns, folder=tmp_path)
    assert found["classes"]["disc"]["images"] == 18
    assert cass("split", table, *columns, "--out", tmp_path / "safe.csv") == 0
    safe = pd.read_csv(tmp_path / "safe.csv", dtype=str)
    assert list(safe.columns) == ["image", "label", "group", "split"]
    assert set(safe["group"]) == {str(number) for number in range(15)}
    assert (safe.groupby("group")["split"].nunique() == 1).all()


def test_a_column_that_is_not_there_is_named(
    cass: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scans = write_scans(tmp_path)
    assert cass("audit", scans, "--label-column", "lable") == 2
    error = capsys.readouterr().err
    assert "--label-column" in error
    assert "Did you mean 'label'?" in error


def test_a_broken_spreadsheet_is_one_line(
    cass: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "list.xlsx").write_text("not a workbook")
    assert cass("audit", tmp_path / "list.xlsx") == 2
    assert "cannot be read as an Excel workbook" in capsys.readouterr().err


def test_names_without_suffix(cass: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scans = write_scans(tmp_path)
    own = rewritten(scans, "")
    own["image"] = own["image"].str.removesuffix(".png")
    own.to_csv(scans, index=False)
    assert audited(cass, scans, folder=tmp_path)["images"] == 60
    Image.open(tmp_path / "images" / "003.png").save(tmp_path / "images" / "003.jpg")
    assert cass("audit", scans) == 2
    assert "'images/003' stands for 2 files" in capsys.readouterr().err


def multilabel(folder: Path, name: str) -> Path:
    """Write scans with three 0/1 columns, one of which is no finding."""
    scans = write_scans(folder / name)
    table = pd.read_csv(scans, dtype=str, keep_default_na=False)
    table["disc"] = (table["label"] == "disc").astype(int)
    table["cross"] = (table["label"] == "cross").astype(int)
    table["smoker"] = np.arange(60) % 2
    table.drop(columns=["label", "group"]).to_csv(scans, index=False)
    return scans


def test_columns_of_0_and_1_are_classes(cass: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scans = multilabel(tmp_path, "a")
    assert sorted(audited(cass, scans, folder=tmp_path)["classes"]) == ["cross", "disc", "smoker"]
    assert "0/1 columns are read as multi-label classes: disc, cross, smoker" in capsys.readouterr().err
    chosen = audited(cass, scans, "--label-columns", "disc,cross", folder=tmp_path)
    assert sorted(chosen["classes"]) == ["cross", "disc"]


def test_the_classes_of_a_run_are_remembered(cass: Command, tmp_path: Path) -> None:
    scans = multilabel(tmp_path, "a")
    run, tuned = tmp_path / "run", tmp_path / "tuned"
    settings = tmp_path / "settings.yaml"
    settings.write_text(json.dumps(TINY | {"epochs": 1}))
    assert cass("pretrain", scans, "--out", run, "--config", settings) == 0
    told = ("--labels", scans, "--label-columns", "disc,cross")
    assert cass("finetune", run, *told, "--out", tuned, "--epochs", 1, "--device", "cpu") == 0
    other = multilabel(tmp_path, "b")
    assert cass("evaluate", tuned, "--labels", other, "--device", "cpu", "--out", tmp_path / "result") == 0
    written = pd.read_csv(tmp_path / "result" / "predictions-cnn.csv")
    assert [name for name in written if name.startswith("probability_")] == [
        "probability_cross",
        "probability_disc",
    ]


def test_a_stray_image_beside_class_folders_is_unlabelled(
    cass: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    for kind, name in enumerate(("ill", "well")):
        (tmp_path / "set" / name).mkdir(parents=True)
        for index in range(6):
            Image.fromarray(draw(kind, rng=rng)).save(tmp_path / "set" / name / f"{index}.png")
    Image.fromarray(draw(2, rng=rng)).save(tmp_path / "set" / "stray.png")
    found = audited(cass, tmp_path / "set", folder=tmp_path)
    assert {name: count["images"] for name, count in found["classes"].items()} == {"ill": 6, "well": 6}
    error = capsys.readouterr().err
    assert "1 image in" in error
    assert "stray.png" in error


def test_misspelt_classes_are_pointed_out(cass: Command, tmp_path: Path) -> None:
    scans = write_scans(tmp_path)
    table = rewritten(scans, "")
    table.loc[table.index[:3], "label"] = ["Stripes", "disc", "stirpes"]
    table.to_csv(scans, index=False)
    found = audited(cass, scans, folder=tmp_path)
    said = [finding["what"] for finding in found["findings"] if "may be one" in finding["what"]]
    assert len(said) == 2
    assert any("'Stripes' (1 image) and 'stripes'" in what for what in said)
    assert any("'stirpes' (1 image) and 'stripes'" in what for what in said)


def test_dicom_reports_are_no_unreadable_images(
    cass: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pydicom = pytest.importorskip("pydicom")
    folder = tmp_path / "scans"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for index in range(6):
        dicom_files.write(folder / f"{index}.dcm", rng.integers(0, 4000, (32, 32), dtype=np.uint16))
    report = pydicom.dcmread(folder / "0.dcm")
    report.SOPClassUID = pydicom.uid.BasicTextSRStorage
    for name in ("Rows", "Columns", "PixelData"):
        delattr(report, name)
    report.save_as(folder / "report.dcm")
    found = audited(cass, folder, folder=tmp_path)
    assert (found["images"], found["unreadable"]) == (6, {})
    assert "1 file without an image" in capsys.readouterr().err
    for path in folder.glob("?.dcm"):
        path.unlink()
    assert cass("audit", folder) == 2


def test_one_image_and_a_pattern_are_predicted(
    cass: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tuned = write_run(tmp_path / "tuned", classes=("benign", "malignant"))
    images = write_images(tmp_path / "images")
    assert cass("predict", tuned, images / "0" / "000.png", "--out", tmp_path / "one.csv") == 0
    assert pd.read_csv(tmp_path / "one.csv", dtype=str)["image"].tolist() == ["000.png"]
    assert cass("predict", tuned, images / "*" / "*5.png", "--out", tmp_path / "some.csv") == 0
    some = pd.read_csv(tmp_path / "some.csv", dtype=str)["image"].tolist()
    assert some == ["0/005.png", "1/015.png", "2/025.png"]
    files = sorted((images / "0").iterdir())
    assert cass("predict", tuned, *files, "--out", tmp_path / "more.csv") == 2
    assert "Put the pattern in quotes" in capsys.readouterr().err
