"""Files that a stranger hands in do no harm: pickles are not run, names and labels stay text."""

from __future__ import annotations

import contextlib
import csv
import html
import pickle
import shutil
from pathlib import Path

import pytest
import torch

import cass
from cass.errors import CassError
from conftest import TINY, write_scans
from dicom_files import ramp, write

LABEL = "=HYPERLINK(evil)"
FILE = "=cmd'<img src=x onerror=alert(1)>.png"


class Bomb:
    """Writes a file when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return open, (str(self.target), "w")


@pytest.mark.parametrize("write", [torch.save, lambda bomb, path: path.write_bytes(pickle.dumps(bomb))])
def test_a_pickle_in_a_checkpoint_is_not_run(
    write: object, scans: Path, pretrained: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run, mark = tmp_path / "run", tmp_path / "harmed"
    shutil.copytree(pretrained, run)
    (run / "summary.json").unlink()  # as if it had been stopped
    write({"state_dict": Bomb(mark)}, run / "checkpoints/last.ckpt")  # type: ignore[operator]
    with pytest.raises(CassError) as caught:
        cass.pretrain(scans, out=run, resume=True, **TINY)
    assert not mark.exists()
    assert "last.ckpt" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("name", ["checkpoints/cnn.safetensors", "held_out.csv", "summary.json", "config.yaml"])
def test_a_pickle_in_any_file_of_a_run_is_not_run(name: str, tuned: Path, scans: Path, tmp_path: Path) -> None:
    run, mark = tmp_path / "run", tmp_path / "harmed"
    shutil.copytree(tuned, run)
    (run / name).write_bytes(pickle.dumps(Bomb(mark)))
    if name == "config.yaml":
        (run / name).write_text(f"!!python/object/apply:builtins.open ['{mark}', 'w']\n")
    for number, act in enumerate(
        (
            lambda: cass.predict(run, scans, out=tmp_path / "p.csv", sensitivity=0.5, device="cpu"),
            lambda: cass.evaluate(run, labels=scans, device="cpu"),
            lambda: cass.report(run, out=tmp_path / "report.html"),
        )
    ):
        with contextlib.suppress(CassError):
            act()
            assert number != 0 or name == "config.yaml"  # which predictions do not need
    assert not mark.exists()


@pytest.fixture(scope="module")
def evil(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on images and classes whose names are formulas and HTML."""
    folder = tmp_path_factory.mktemp("evil")
    labels = write_scans(folder / "scans", unlabelled=0)
    images = sorted((folder / "scans/images").iterdir())
    rows = list(csv.DictReader(labels.open()))
    for row, path in zip(rows, images, strict=True):
        target = (
            path.parent.parent / f"{path.stem}{FILE}"
            if path.stem > "005"
            else path.parent.parent / f"={path.name}"
        )
        path.rename(target)
        row["image"] = target.name
        row["label"] = LABEL if row["label"] == "disc" else f"<b>{row['label']}</b>"
    with labels.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["image", "label", "group"])
        writer.writeheader()
        writer.writerows(rows)
    shutil.copytree(folder / "scans", folder / "bare", ignore=shutil.ignore_patterns("labels.csv"))
    run = cass.pretrain(labels, out=folder / "run", **TINY | {"epochs": 1}).out
    tuned = cass.finetune(run, labels=labels, out=folder / "tuned", head="linear", device="cpu").out
    cass.evaluate(tuned, labels=labels, device="cpu")
    return folder


def test_no_cell_of_a_table_is_a_formula(evil: Path, tmp_path: Path) -> None:
    labels, tuned = evil / "scans/labels.csv", evil / "tuned"
    cass.predict(tuned, labels, out=tmp_path / "predictions.csv", device="cpu")
    cass.explain(tuned, labels, out=tmp_path / "explained", limit=2, device="cpu")
    cass.select(evil / "run", evil / "bare", out=evil / "bare/next.csv", budget=30, device="cpu")
    tables = [*tmp_path.rglob("*.csv"), *(tuned / "evaluation").rglob("*.csv"), evil / "bare/next.csv"]
    assert len(tables) >= 6
    for path in tables:
        with path.open(newline="") as file:
            cells = [cell for row in csv.reader(file) for cell in row]
        assert not [cell for cell in cells if cell[:1] in ("=", "@")], path
    picked = cass.audit(evil / "bare/next.csv")  # its paths still lead to the images
    assert not picked.audit.unreadable


def test_pages_show_names_as_text(evil: Path, tmp_path: Path) -> None:
    labels, tuned = evil / "scans/labels.csv", evil / "tuned"
    cass.audit(labels, html=tmp_path / "audit.html", json_file=tmp_path / "audit.json")
    cass.report(tuned, out=tmp_path / "report.html", audit=tmp_path / "audit.json")
    cass.explain(tuned, labels, out=tmp_path / "explained", limit=8, device="cpu")
    cass.export(tuned, out=tmp_path / "exported", format="timm")
    for path in tmp_path.rglob("*.html"):
        page = path.read_text()
        assert "<img src=x" not in page, path
        assert "<b>" not in page, path
    report = (tmp_path / "report.html").read_text()
    assert html.escape("<b>cross</b>") in report
    assert html.escape(LABEL) in report


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")
def test_names_that_lead_elsewhere_are_written_inside(tmp_path: Path) -> None:
    """Of a table, a class or a DICOM tag: nothing is written outside of the folder that the user named."""
    labels = write_scans(tmp_path / "work/data/scans")
    place = labels.parent
    (tmp_path / "work/data/up").mkdir()
    for number in range(6):
        write(
            tmp_path / f"work/data/up/{number}.dcm",
            ramp(),
            SeriesInstanceUID="../../../series",
            PatientID="../../../patient",
            SOPInstanceUID="../../../image",
            SeriesDescription="/tmp/../description",
        )
    names = [f"../up/{number}.dcm" for number in range(6)]
    rows = [f"{name},../../../class{number % 2},../../../group" for number, name in enumerate(names)]
    (place / "dicom.csv").write_text("image,label,group\n" + "\n".join(rows) + "\n")
    shutil.copytree(place / "images", tmp_path / "work/data/pictures")
    labels.write_text(labels.read_text().replace("images/", "../pictures/").replace("disc", "../../../disc"))
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    out = tmp_path / "work/out"
    cass.prepare("dicom", place / "dicom.csv", out=out / "prepared")
    cass.pretrain(labels, out=out / "run", **TINY | {"epochs": 1})
    cass.finetune(out / "run", labels=labels, out=out / "tuned", epochs=1, batch_size=8, device="cpu")
    cass.evaluate(out / "tuned", labels=labels, device="cpu")
    cass.explain(out / "tuned", labels, out=out / "explained", limit=3, device="cpu")
    written = {path for path in tmp_path.rglob("*") if path.is_file()} - before
    assert len([path for path in written if path.suffix == ".png" and "prepared" in path.parts]) == 6
    assert [path for path in written if not path.is_relative_to(out)] == []
