"""cass prepare through the command line: slides, volumes, DICOM series, and a set of the paper."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

import cass
from cass.data.formats.read import read_image
from cass.data.manifest.manifest import load_manifest
from cass.errors import ConfigError, DataError, OutputError
from conftest import draw, write_scans
from dicom_files import ramp, write

RNG = np.random.default_rng(0)


def write_slide(path: Path, *, size: int = 512, grey: bool = False) -> np.ndarray:
    """Write a pyramid: pink tissue in the left upper quarter of white glass."""
    slide = np.full((size, size + 64, 3), 244, dtype=np.uint8)
    slide[: size // 2, : size // 2] = RNG.integers(0, 40, (size // 2, size // 2, 3)) + np.array([190, 80, 150])
    if grey:
        slide = np.ascontiguousarray(255 - slide[..., 1])
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = {"tile": (64, 64), "photometric": "minisblack" if grey else "rgb"}
    with tifffile.TiffWriter(path) as file:
        file.write(slide, subifds=2, **kind)
        file.write(slide[::2, ::2], subfiletype=1, **kind)
        file.write(slide[::4, ::4], subfiletype=1, **kind)
    return slide


def test_slides_become_tiles_of_tissue(tmp_path: Path) -> None:
    pytest.importorskip("zarr", reason="slides need the extra cass-ssl[tiff]")
    slides = tmp_path / "slides"
    first = write_slide(slides / "ill" / "a.svs")
    write_slide(slides / "well" / "b.tif", grey=True)
    (slides / "well" / "broken.tif").write_bytes(b"II*\0" + bytes(200))
    done = run("prepare", "slides", slides, "--out", tmp_path / "tiles", "--tile-size", "64")
    assert done.returncode == 0, done.stderr
    assert "32 tiles of 2 files, 112 empty ones dropped; 1 unreadable: " in done.stdout
    assert "Unreadable: well/broken.tif (it is damaged" in done.stderr
    assert f"Next: cass audit {tmp_path / 'tiles' / 'labels.csv'}" in done.stdout
    table = pd.read_csv(tmp_path / "tiles" / "labels.csv")
    assert table["label"].tolist() == ["ill"] * 16 + ["well"] * 16
    assert table["group"].tolist() == ["ill/a.svs"] * 16 + ["well/b.tif"] * 16
    manifest = load_manifest(tmp_path / "tiles")
    assert manifest.images[1] == "ill/a.svs/x000000-y000064.png"
    assert (read_image(manifest.path(1)) == first[64:128, :64]).all()
    coarse = cass.prepare("slides", slides, out=tmp_path / "coarse", tile_size=64, level=1)
    assert (coarse.pictures, coarse.dropped, len(coarse.unreadable)) == (8, 24, 1)
    with pytest.raises(DataError, match="it has 3 levels, none numbered 3"):
        cass.prepare("slides", slides / "ill", out=tmp_path / "none", level=3)


def test_volumes_become_slices_with_the_patients_right_at_the_left(tmp_path: Path) -> None:
    nibabel = pytest.importorskip("nibabel", reason="NIfTI needs the extra cass-ssl[nifti]")
    values = np.zeros((10, 12, 8), dtype=np.float32)
    values[1:9, 1:11, 1:7] = RNG.normal(100, 5, (8, 10, 6))
    values[8, 10, 1:7] = 1000  # right, front
    values[1, 1, 6] = 1000  # left, back, top
    (tmp_path / "scans").mkdir()
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), tmp_path / "scans" / "a.nii.gz")
    turned = nibabel.Nifti1Image(values[::-1, ::-1], np.diag([-1.0, -1.0, 1.0, 1.0]))
    nibabel.save(turned, tmp_path / "scans" / "b.nii")
    (tmp_path / "scans" / "c.nii.gz").write_bytes((tmp_path / "scans" / "a.nii.gz").read_bytes()[:300])
    result = cass.prepare("nifti", tmp_path / "scans", out=tmp_path / "slices", window="500/1000")
    assert (result.files, result.pictures, result.dropped) == (2, 12, 4)
    assert list(result.unreadable) == ["c.nii.gz"]
    manifest = load_manifest(tmp_path / "slices")
    assert manifest.groups is not None
    assert sorted(set(manifest.groups.tolist())) == ["a.nii.gz", "b.nii"]
    first = read_image(tmp_path / "slices" / "a.nii.gz" / "axial-0006.png")[..., 0]
    assert first.shape == (12, 10)
    assert first.dtype == np.uint16
    assert first[1, 1] == first[10, 8] == 65535
    assert (read_image(tmp_path / "slices" / "b.nii" / "axial-0006.png")[..., 0] == first).all()
    result = cass.prepare("nifti", tmp_path / "scans", out=tmp_path / "side", axis="sagittal", every=4)
    assert result.pictures == 4
    side = read_image(tmp_path / "side" / "a.nii.gz" / "sagittal-0008.png")
    assert side.shape == (8, 12, 1)
    assert side[3, 1, 0] == 65535  # the front is at the left


def write_series(folder: Path) -> None:
    from pydicom.uid import generate_uid

    for series in range(2):
        uid = generate_uid()
        for number in range(5):
            values = ramp() + np.uint16(100 * number)
            name = folder / f"{series}-{9 - number}.dcm"
            write(name, values, SeriesInstanceUID=uid, InstanceNumber=number + 1, PatientID=f"planted-{series}")
    write(folder / "many.dcm", np.stack([ramp(), ramp() * 2, ramp() * 3]))


@pytest.mark.parametrize(("frames", "count"), [("all", 13), ("middle", 3), ("2", 8)])
def test_frames_of_series_are_chosen_and_windowed(tmp_path: Path, frames: str, count: int) -> None:
    pytest.importorskip("pydicom", reason="DICOM needs the extra cass-ssl[dicom]")
    scans = tmp_path / "scans"
    scans.mkdir()
    write_series(scans)
    result = cass.prepare("dicom", scans, out=tmp_path / "out", window="2000/1000", frames=frames)
    assert result.pictures == count
    manifest = load_manifest(tmp_path / "out")
    assert manifest.groups is not None
    assert len(set(manifest.groups.tolist())) == 3
    if frames == "middle":  # slices are ordered by their instance numbers, not by their names
        assert manifest.images == ("0-7.dcm.png", "1-7.dcm.png", "many.dcm-1.png")
    pixels = read_image(manifest.path(0))
    assert pixels.dtype == np.uint16
    assert (pixels == 0).mean() > 0.2
    assert (pixels == 65535).mean() > 0.2
    written = b"".join(path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert b"planted" not in written


def test_a_stopped_cut_goes_on_and_other_settings_do_not_mix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("zarr", reason="slides need the extra cass-ssl[tiff]")
    from cass.data.prepare.slides import Tiling

    slides, out = tmp_path / "slides", tmp_path / "tiles"
    for name in "abc":
        write_slide(slides / f"{name}.tif", size=128)
    read = Tiling.pictures

    def stop(self: Tiling, path: Path):
        if path.name == "b.tif":
            raise KeyboardInterrupt
        return read(self, path)

    monkeypatch.setattr(Tiling, "pictures", stop)
    with pytest.raises(KeyboardInterrupt):
        cass.prepare("slides", slides, out=out, tile_size=32)
    assert not (out / "labels.csv").exists()
    assert sorted(path.name for path in out.iterdir()) == ["a.tif", "prepare.json"]
    seen: list[str] = []
    monkeypatch.setattr(Tiling, "pictures", lambda self, path: seen.append(path.name) or read(self, path))
    with pytest.raises(OutputError, match="begun with other settings"):
        cass.prepare("slides", slides, out=out, tile_size=64)
    result = cass.prepare("slides", slides, out=out, tile_size=32)
    assert seen == ["b.tif", "c.tif"]
    assert result.pictures == 12
    assert json.loads((out / "prepare.json").read_text())["settings"]["tile_size"] == 32
    with pytest.raises(OutputError, match="is prepared already"):
        cass.prepare("slides", slides, out=out, tile_size=32)


def test_a_set_with_findings_is_written_and_audited(tmp_path: Path) -> None:
    labels = write_scans(tmp_path / "scans", count=30, unlabelled=0)
    table = pd.read_csv(labels)
    table["disc"] = (table.pop("label") == "disc").astype(int)
    table["cross"] = 1 - table["disc"]
    table.to_csv(tmp_path / "findings.csv", index=False)
    labels.unlink()
    command = ("prepare", "multilabel", tmp_path / "scans", "--labels", tmp_path / "findings.csv")
    done = run(*command)
    assert done.returncode == 0, done.stderr
    assert "Groups are taken from the column 'group'" in done.stdout
    assert "--label-columns disc,cross" in done.stdout
    audited = cass.audit(tmp_path / "scans", label_columns=("cross", "disc"))
    assert audited.audit.classes["disc"]["images"] == 10
    done = run(*command)
    assert done.returncode == 2
    assert "labels.csv already exists" in done.stderr


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        ("isic", {}, "Did you mean 'isic2019'"),
        ("dicom", {"window": "wide"}, "centre and a width"),
        ("dicom", {"window": "40/0"}, "centre and a width"),
        ("nifti", {"window": "file"}, "no window of its own"),
        ("dicom", {"frames": "0"}, "frames"),
    ],
)
def test_settings_that_make_no_sense(tmp_path: Path, kind: str, settings: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        cass.prepare(kind, tmp_path, out=tmp_path / "out", **settings)


def test_folders_without_anything_to_prepare(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(draw(0, rng=RNG).tobytes())
    with pytest.raises(DataError, match=r"Nothing to prepare in .* \(but 1 '\.png' files\)\. Files wanted: \.svs"):
        cass.prepare("slides", tmp_path, out=tmp_path / "out")
    with pytest.raises(ConfigError, match="holds no DICOM file"):
        cass.prepare("dicom", tmp_path, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
    with pytest.raises(DataError, match="does not exist"):
        cass.prepare("dermofit", tmp_path / "gone")


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-c", "from cass.cli import main; main()"]
    return subprocess.run([*line, *map(str, arguments)], capture_output=True, text=True, check=False)
