"""Audit and split through the API, and what the command line makes of them."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

import cass
from cass.cli.app import build_app
from cass.errors import CassError, ConfigError, DataError, OutputError
from conftest import write_scans


@pytest.fixture
def leaking(tmp_path: Path) -> Path:
    """Sixty scans; one is in train and in test."""
    path = write_scans(tmp_path / "scans")
    table = pd.read_csv(path)
    table["split"] = [("train", "train", "val", "test")[row // 6 % 4] for row in range(len(table))]
    train, test = (table.image[table.split == split].iloc[0] for split in ("train", "test"))
    (path.parent / test).write_bytes((path.parent / train).read_bytes())
    table.to_csv(path, index=False)
    return path


def test_what_an_audit_writes(leaking: Path, tmp_path: Path) -> None:
    result = cass.audit(leaking, json_file=tmp_path / "found.json", html=tmp_path / "found.html")
    assert result.audit.serious
    written = json.loads((tmp_path / "found.json").read_text())
    assert written["images"] == 60
    assert written["serious"] is True
    topics = [finding["topic"] for finding in written["findings"]]
    assert "leakage: copies" in topics
    command = next(entry["fix"] for entry in written["findings"] if entry["topic"] == "leakage: copies")
    assert command == f"cass split {leaking} --out safe.csv"
    page = (tmp_path / "found.html").read_text()
    assert page.count("<img src='data:image/jpeg;base64,") >= 2
    assert '<section class="serious">' in page
    assert "http" not in page


def test_a_run_adds_what_its_networks_see(leaking: Path, pretrained: Path, tmp_path: Path) -> None:
    table = pd.read_csv(leaking)
    row = table.index[table.label == "disc"][2]
    table.loc[row, "label"] = "stripes"
    table.to_csv(leaking, index=False)
    result = cass.audit(leaking, run=pretrained, device="cpu", html=tmp_path / "found.html")
    (finding,) = [entry for entry in result.audit.findings if entry.topic == "label quality"]
    assert row in finding.images
    assert len(finding.captions) == len(finding.images)
    assert finding.captions[finding.images.index(row)].startswith("more likely disc (")
    assert "more likely disc (" in (tmp_path / "found.html").read_text()


def test_the_command_ends_with_1_where_it_is_serious_and_split_mends_it(leaking: Path, tmp_path: Path) -> None:
    run = CliRunner()
    found = run.invoke(build_app(), ["audit", str(leaking)])
    assert found.exit_code == 1
    assert "SERIOUS, leakage: copies: " in found.stdout
    assert "100% of labels" in found.stdout
    safe = tmp_path / "safe.csv"
    mended = run.invoke(build_app(), ["split", str(leaking), "--out", str(safe)])
    assert mended.exit_code == 0
    assert mended.stdout.startswith(f"Wrote {safe}: train ")
    again = run.invoke(build_app(), ["audit", str(safe)])
    assert again.exit_code == 0
    assert "leakage" not in again.stdout


def test_a_split_leaves_out_what_cannot_be_read(
    leaking: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    table = pd.read_csv(leaking)
    (leaking.parent / table.image[10]).write_bytes(b"")
    with caplog.at_level(logging.WARNING, logger="cass"):
        result = cass.split(leaking, out=tmp_path / "safe.csv", ratios=(0.5, 0.25, 0.25), seed=4)
    assert result.unreadable.keys() == {table.image[10]}
    assert sum(result.counts.values()) == 59
    assert f"Unreadable: {table.image[10]}" in caplog.text
    written = pd.read_csv(tmp_path / "safe.csv")
    assert len(written) == 59
    assert written.split.value_counts().to_dict() == result.counts


def test_mistakes_are_one_line_with_the_mend(leaking: Path, tmp_path: Path) -> None:
    taken = tmp_path / "taken.csv"
    taken.write_text("")
    wrong: list[tuple[type[CassError], dict[str, object], str]] = [
        (OutputError, {"out": taken}, "already exists"),
        (ConfigError, {"out": tmp_path / "safe.txt"}, "not a .csv"),
        (OutputError, {"out": tmp_path / "none" / "safe.csv"}, "does not exist"),
        (ConfigError, {"out": tmp_path / "safe.csv", "ratios": (1, 0, 0)}, "shares above 0"),
    ]
    for kind, settings, says in wrong:
        with pytest.raises(kind, match=says) as caught:
            cass.split(leaking, **settings)  # type: ignore[arg-type]
        assert "\n" not in str(caught.value)
    with pytest.raises(OutputError, match="does not exist"):
        cass.audit(leaking, html=tmp_path / "none" / "found.html")
    for image in leaking.parent.glob("images/*.png"):
        image.write_bytes(b"gone")
    with pytest.raises(DataError, match="None of the 60 images"):
        cass.audit(leaking)
