from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

import cass
from cass.errors import ConfigError, DataError, OutputError
from conftest import TINY, write_scans


@pytest.fixture(scope="module")
def doubtful(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scans of which every fourth has the label of another class."""
    labels = write_scans(tmp_path_factory.mktemp("doubtful"))
    table = pd.read_csv(labels, dtype=str, keep_default_na=False)
    rows = table.index[(table.index % 4 == 0) & (table["label"] != "")]
    swap = {"stripes": "disc", "disc": "cross", "cross": "stripes"}
    table.loc[rows, "label"] = table.loc[rows, "label"].map(swap)
    table.to_csv(labels, index=False)
    return labels


@pytest.fixture(scope="module")
def evaluated(doubtful: Path, pretrained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that errs."""
    out = tmp_path_factory.mktemp("report") / "tuned"
    cass.finetune(pretrained, labels=doubtful, out=out, head="linear", device="cpu")
    cass.evaluate(out, labels=doubtful, device="cpu")
    return out


def test_the_page_shows_everything_and_asks_nobody(evaluated: Path, tmp_path: Path) -> None:
    result = cass.report(evaluated, out=tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "http" not in page
    assert "<script" not in page
    assert result.sentence.split(". ")[0] in page
    for title in (
        *("Data", "Training", "Results on the test images", "Confusion matrix", "Sensitivity and specificity"),
        *("Calibration", "Groups and sites", "Errors against coverage", "The worst errors", "Limits of use"),
    ):
        assert f"<h2>{title}</h2>" in page
    assert page.count("<svg viewBox") >= 5
    assert all(re.search(r"aria-label='[^']+'", chart) for chart in re.findall(r"<svg viewBox[^>]*>", page))
    assert "data:image/jpeg;base64," in page
    assert not re.search(r"patient\d", page)  # groups are not named


def test_the_page_has_heat_maps_a_map_operating_points_and_sites(
    evaluated: Path, doubtful: Path, tmp_path: Path
) -> None:
    audit = tmp_path / "audit.json"
    cass.audit(doubtful, json_file=audit)
    cass.report(evaluated, out=tmp_path / "report.html", audit=audit)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "evidence of the transformer" in page
    assert "<h2>Map of the embeddings</h2>" in page
    assert "Thresholds chosen on held-out labels, measured on the test images" in page
    assert "What <code>cass audit</code> found" in page
    assert "<strong>warning, labels:</strong>" in page or "<li><strong>" in page
    table = pd.read_csv(doubtful, dtype=str, keep_default_na=False)
    table["site"] = ["north" if row % 3 else "<south>" for row in range(len(table))]
    table.to_csv(doubtful, index=False)
    cass.report(evaluated, out=tmp_path / "sites.html")
    sites = (tmp_path / "sites.html").read_text(encoding="utf-8")
    assert "<p>By site</p>" in sites
    assert "&lt;south&gt;" in sites
    assert "<south>" not in sites


def test_what_is_no_audit_is_refused(evaluated: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    other.write_text("{}")
    with pytest.raises(DataError, match=r"other\.json was not written by cass audit"):
        cass.report(evaluated, out=tmp_path / "report.html", audit=other)
    with pytest.raises(DataError, match=r"missing\.json cannot be read"):
        cass.report(evaluated, out=tmp_path / "report.html", audit=tmp_path / "missing.json")
    assert not (tmp_path / "report.html").exists()


def test_pictures_can_be_left_out(evaluated: Path, tmp_path: Path) -> None:
    cass.report(evaluated, out=tmp_path / "report.html", images=False)
    assert "data:image" not in (tmp_path / "report.html").read_text()


def test_runs_are_compared_on_the_same_images(
    evaluated: Path, doubtful: Path, pretrained: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    cass.finetune(pretrained, labels=doubtful, out=other, head="linear", label_fraction=0.2, device="cpu")
    cass.evaluate(other, labels=doubtful, device="cpu")
    cass.report(f"{evaluated},{other}", out=tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert "<h2>Runs side by side</h2>" in page
    assert re.search(r"On the same images, (other is (better|worse) than|no difference between other and) ", page)
    again = tmp_path / "again.html"
    cass.report([evaluated, evaluated], out=again)
    assert "no difference between" in again.read_text()


def test_multi_label_runs_have_a_page(tmp_path: Path) -> None:
    labels = write_scans(tmp_path / "scans", multilabel=True, unlabelled=0)
    run = cass.pretrain(labels, out=tmp_path / "run", **TINY | {"epochs": 1}).out
    tuned = cass.finetune(run, labels=labels, out=tmp_path / "tuned", head="linear", device="cpu").out
    cass.evaluate(tuned, labels=labels, device="cpu")
    cass.report(tuned, out=tmp_path / "report.html")
    assert "true positives" in (tmp_path / "report.html").read_text()


def test_what_is_missing_is_said(pretrained: Path, scans: Path, evaluated: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"not a \.html file"):
        cass.report(evaluated, out=tmp_path / "report.pdf")
    bare = cass.finetune(pretrained, labels=scans, out=tmp_path / "bare", head="linear", device="cpu").out
    with pytest.raises(OutputError, match="was not evaluated"):
        cass.report(bare, out=tmp_path / "report.html")
    with pytest.raises(OutputError, match="cass finetune"):
        cass.report(pretrained, out=tmp_path / "report.html")
    (tmp_path / "taken.html").touch()
    with pytest.raises(OutputError, match="already exists"):
        cass.report(evaluated, out=tmp_path / "taken.html")
    assert not (tmp_path / "report.html").exists()
