"""No command opens a network connection, and nothing that names a patient in an image file is written anywhere."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image, PngImagePlugin

import cass
from conftest import TINY, write_scans
from faults.test_kills import SPEC

NAME = "Planted-Patient-4711"

REFUSING = """
import os, socket
def refuse(address, *_, **__):
    with open(os.environ["ATTEMPTS"], "a") as file:
        print(repr(address), file=file)
    raise OSError("the network is not to be used")
def connect(self, address):
    if self.family in (socket.AF_INET, socket.AF_INET6):
        refuse(address)
    return kept(self, address)
kept, socket.socket.connect = socket.socket.connect, connect
socket.getaddrinfo = socket.create_connection = refuse
"""
"""Read by every Python process that starts with it on its path."""


@pytest.fixture
def attempts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Refuse every connection and every look-up of a name, and keep what was tried."""
    found: list[str] = []

    def refuse(*words: Any, **_: Any) -> Any:
        found.append(repr(words))
        raise OSError("the network is not to be used")

    def connect(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            refuse(address)

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket.socket, "connect_ex", connect)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    return found


def whole_workflow(labels: Path, folder: Path) -> None:
    """Call every verb that works on images."""
    run, tuned = folder / "run", folder / "tuned"
    cass.audit(labels, html=folder / "audit.html", json_file=folder / "audit.json")
    cass.split(labels, out=folder / "safe.csv")
    cass.pretrain(labels, out=run, **TINY | {"epochs": 1})
    cass.select(run, labels, out=folder / "label.csv", budget=2, device="cpu")
    cass.finetune(run, labels=labels, out=tuned, epochs=1, batch_size=8, device="cpu")
    cass.evaluate(tuned, labels=labels, device="cpu")
    cass.report(tuned, out=folder / "report.html", audit=folder / "audit.json")
    cass.explain(tuned, labels, out=folder / "explained", limit=2, device="cpu")
    cass.predict(tuned, labels, out=folder / "predictions.csv", device="cpu")
    cass.embed(run, labels, out=folder / "embeddings.parquet", device="cpu")
    for kind in ("timm", "torchscript", "huggingface"):
        cass.export(tuned, out=folder / kind, format=kind)
    cass.compare(
        labels, out=folder / "compare", label_fractions=[0.5], finetune={"epochs": 1}, **TINY | {"epochs": 1}
    )


def test_no_command_uses_the_network(tmp_path: Path, attempts: list[str]) -> None:
    whole_workflow(write_scans(tmp_path / "scans"), tmp_path)
    assert attempts == []


@pytest.mark.slow
def test_commands_with_processes_of_their_own_use_no_network(tmp_path: Path) -> None:
    labels = write_scans(tmp_path / "scans")
    spec = tmp_path / "spec.yaml"
    spec.write_text(SPEC.format(labels=labels).replace("seeds: [0, 1]", "seeds: [0]"))
    findings = tmp_path / "findings.csv"
    findings.write_text(
        "image,disc\n" + "".join(f"images/{number:03d}.png,{number % 2}\n" for number in range(60))
    )
    (tmp_path / "patched").mkdir()
    (tmp_path / "patched/sitecustomize.py").write_text(REFUSING)
    attempts = tmp_path / "attempts.txt"
    path = os.pathsep.join(filter(None, [str(tmp_path / "patched"), os.environ.get("PYTHONPATH")]))
    env = os.environ | {"PYTHONPATH": path, "ATTEMPTS": str(attempts)}
    asking = [sys.executable, "-c", "import socket; socket.create_connection(('192.0.2.1', 80))"]
    assert subprocess.run(asking, env=env, capture_output=True, check=False).returncode == 1
    assert attempts.read_text() == "('192.0.2.1', 80)\n"  # what every process of a command would leave
    attempts.unlink()
    commands = [
        ("benchmark", str(spec), "--out", str(tmp_path / "benchmark"), "--jobs", "2"),
        (
            "prepare",
            "multilabel",
            str(labels.parent),
            "--labels",
            str(findings),
            "--out",
            str(tmp_path / "made.csv"),
        ),
    ]
    for words in commands:
        done = subprocess.run(
            [sys.executable, "-m", "cass", *words], env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert not attempts.exists()


def test_names_in_image_files_are_written_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    labels = write_scans(tmp_path / "scans")
    table = labels.read_text()
    for number, path in enumerate(sorted((tmp_path / "scans/images").iterdir())):
        with Image.open(path) as image:
            pixels = np.asarray(image)
        path.unlink()
        suffix = (".png", ".jpg", ".tif")[number % 3]
        target = path.with_suffix(suffix)
        table = table.replace(f"images/{path.name}", f"images/{target.name}")
        if suffix == ".tif":
            tifffile.imwrite(target, pixels, description=NAME, photometric="rgb", metadata={"patient": NAME})
            continue
        picture = Image.fromarray(pixels)
        exif = Image.Exif()
        exif[0x010E], exif[0x013B], exif[0x8298] = NAME, NAME, NAME  # description, artist, copyright
        if suffix == ".png":
            chunks = PngImagePlugin.PngInfo()
            chunks.add_text("PatientName", NAME)
            picture.save(target, pnginfo=chunks, exif=exif)
        else:
            picture.save(target, exif=exif, comment=NAME.encode(), quality=95)
    labels.write_text(table)
    monkeypatch.setenv("CASS_CACHE_DIR", str(tmp_path / "cache"))
    planted = [
        path for path in (tmp_path / "scans").rglob("*") if path.is_file() and NAME.encode() in path.read_bytes()
    ]
    assert len(planted) == 60  # it is there to be found
    whole_workflow(labels, tmp_path)
    written = [
        path for path in tmp_path.rglob("*") if path.is_file() and "scans" not in path.relative_to(tmp_path).parts
    ]
    assert len(written) > 50
    assert not [path for path in written if NAME.encode() in path.read_bytes()]
