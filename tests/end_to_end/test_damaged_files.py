"""200 damaged files of every format: each is reported, none crashes or hangs the audit or a training run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

pytest.importorskip("pydicom", reason="DICOM needs the extra cass-ssl[dicom]")

from damaged import write_damaged, write_damaged_containers

LINE = [sys.executable, "-c", "from cass.cli import main; main()"]
HANGS = 300  # seconds


def cass(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*LINE, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=HANGS
    )


def write_good(folder: Path, *, count: int) -> None:
    rng = np.random.default_rng(1)
    folder.mkdir()
    for number, pixels in enumerate(rng.integers(0, 256, (count, 12, 12), dtype=np.uint8)):
        Image.fromarray(pixels).save(folder / f"{number:04d}.bmp")


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    folder = tmp_path_factory.mktemp("damaged")
    return folder, write_damaged(folder / "scans" / "bad", count=200)


@pytest.mark.xdist_group("damaged")
def test_the_audit_names_every_damaged_file(damaged: tuple[Path, list[str]], tmp_path: Path) -> None:
    folder, names = damaged
    assert len(names) == 200
    write_good(folder / "scans" / "good", count=60)
    done = cass("audit", folder / "scans", "--json", tmp_path / "audit.json", "--html", tmp_path / "audit.html")
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    assert "200 files unreadable" in " ".join(done.stdout.split())
    unreadable = json.loads((tmp_path / "audit.json").read_text())["unreadable"]
    assert sorted(unreadable) == [f"bad/{name}" for name in names]
    assert all(reason and "\n" not in reason for reason in unreadable.values())


@pytest.mark.xdist_group("damaged")
def test_training_goes_on_without_them_or_stops_in_one_line(
    damaged: tuple[Path, list[str]], tmp_path: Path
) -> None:
    folder, names = damaged
    networks = ("--cnn", "test_resnet", "--transformer", "test_vit", "--cnn-weights", "none")
    fast = (
        *networks,
        "--transformer-weights",
        "none",
        "--image-size",
        "32",
        "--epochs",
        "1",
        "--batch-size",
        "512",
    )
    fast = (*fast, "--watch-images", "32", "--device", "cpu", "--method-config", "{width: 16}", "--cache", "off")
    done = cass("pretrain", folder / "scans", "--out", tmp_path / "stopped", *fast)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stderr.strip().splitlines()[-1].startswith("Error: ")
    write_good(folder / "scans" / "more", count=4000)
    done = cass("pretrain", folder / "scans", "--out", tmp_path / "run", *fast)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    splits = pd.read_csv(tmp_path / "run" / "splits.csv")
    read = set(splits.loc[splits["split"] != "test", "image"])  # pretraining reads no test image
    assert sorted(summary["corrupt_image_names"]) == sorted(
        f"bad/{name}" for name in names if f"bad/{name}" in read
    )
    assert summary["corrupt_images"] > 100


def test_damaged_volumes_and_slides_are_left_out_by_name(tmp_path: Path) -> None:
    pytest.importorskip("nibabel", reason="NIfTI needs the extra cass-ssl[nifti]")
    pytest.importorskip("zarr", reason="slides need the extra cass-ssl[tiff]")
    for kind, names in write_damaged_containers(tmp_path).items():
        done = cass("prepare", kind, tmp_path / kind, "--out", tmp_path / f"{kind}-out")
        assert done.returncode == 2, (kind, done.stdout, done.stderr)
        assert "Traceback" not in done.stderr
        assert f"None of the {len(names)} files gave an image" in done.stderr
        reported = [line for line in done.stderr.splitlines() if line.startswith("Unreadable: ")]
        assert sorted(line.split()[1] for line in reported) == sorted(names)
        assert not (tmp_path / f"{kind}-out" / "labels.csv").exists()
