"""DICOM: the files that pydicom ships, files made here, and who must not be found afterwards."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

pydicom = pytest.importorskip("pydicom", reason="DICOM needs the extra cass-ssl[dicom]")

import cass  # noqa: E402
from cass.data.formats import dicom  # noqa: E402
from cass.data.formats.base import format_of  # noqa: E402
from cass.data.formats.dicom import Dicom, frame_count, group_code, read_dicom  # noqa: E402
from cass.data.formats.identity import image_digest  # noqa: E402
from cass.data.formats.read import image_kind, read_image  # noqa: E402
from cass.data.formats.salt import salt_of  # noqa: E402
from cass.data.formats.unreadable import UnreadableImage  # noqa: E402
from cass.data.manifest.manifest import load_manifest  # noqa: E402
from cass.data.store.dataset import to_images  # noqa: E402
from cass.data.store.store import decode_images  # noqa: E402
from conftest import TINY, draw  # noqa: E402
from dicom_files import ramp, write  # noqa: E402

DOCS = Path(__file__).resolve().parents[3] / "docs" / "how-to" / "dicom.md"


def shipped() -> list[Path]:
    from pydicom.data import get_testdata_files

    return [
        path
        for path in map(Path, sorted(get_testdata_files()))
        if path.is_file() and isinstance(format_of(path), Dicom)
    ]


def outcome(path: Path) -> str:
    try:
        pixels = read_image(path)
    except UnreadableImage as error:
        return error.reason if "\n" not in str(error) else "more than a line"
    assert pixels.ndim == 3
    assert pixels.shape[2] in (1, 3)
    assert len(pixels) == 16 or pixels.min() < pixels.max()  # two cuttings lie outside of their windows
    assert image_kind(path)[1] == 8 * pixels.dtype.itemsize
    return f"{pixels.shape[1]} x {pixels.shape[0]}, {'grey' if pixels.shape[2] == 1 else 'RGB'}, {pixels.dtype}"


def test_every_file_that_pydicom_ships_is_read_or_refused_as_the_docs_say() -> None:
    documented = dict(re.findall(r"^\| `([^`]+)` \| (.+?) \|$", DOCS.read_text(), flags=re.MULTILINE))
    found: dict[str, str] = {}
    for path in shipped():
        if path.suffix:
            found[path.name] = outcome(path)
        else:
            outcome(path)
    assert documented == found


def test_a_pydicom_that_downloads_is_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "deep.dcm", ramp())
    monkeypatch.setattr("importlib.metadata.version", lambda name: "3.0.0")
    dicom._pydicom.cache_clear()
    try:
        with pytest.raises(UnreadableImage, match=r"needs pydicom 3.0.1 or newer") as refused:
            read_dicom(path)
    finally:
        dicom._pydicom.cache_clear()
    assert "pip install 'pydicom>=3.0.1'" in str(refused.value)


def test_16_bits_keep_their_grey_levels_up_to_the_network(tmp_path: Path) -> None:
    path = write(tmp_path / "deep.dcm", ramp())
    pixels = read_image(path)
    assert pixels.dtype == np.uint16
    assert len(np.unique(pixels)) > 900
    store = decode_images([path], names=["deep"], image_size=32, in_chans=3)
    assert store.array.dtype == np.uint16
    assert len(torch.unique(to_images(torch.from_numpy(np.asarray(store.array))))) > 900


def test_windows_slopes_and_inverted_greys(tmp_path: Path) -> None:
    values = ramp()
    hounsfield = {"RescaleSlope": 2, "RescaleIntercept": -1000}
    window = {"WindowCenter": 40, "WindowWidth": 400, **hounsfield}
    seen = read_dicom(write(tmp_path / "window.dcm", values, **window))[..., 0] / 65535
    measured = values * 2.0 - 1000
    expected = ((measured - (40 - 0.5)) / (400 - 1) + 0.5).clip(0, 1)  # PS3.3 C.11.2.1.2.1
    np.testing.assert_allclose(seen, expected, atol=2e-5)
    turned = read_dicom(write(tmp_path / "turned.dcm", values, PhotometricInterpretation="MONOCHROME1", **window))
    np.testing.assert_allclose(turned[..., 0] / 65535, 1 - expected, atol=2e-5)
    plain = read_dicom(write(tmp_path / "plain.dcm", values))[..., 0] / 65535
    low, high = np.percentile(values, (0.5, 99.5))
    np.testing.assert_allclose(plain, ((values - low) / (high - low)).clip(0, 1), atol=2e-5)
    eight = ramp(dtype=np.uint8, top=200)
    assert np.array_equal(read_dicom(write(tmp_path / "eight.dcm", eight))[..., 0], eight)


def test_frames_become_rows_that_stay_together(tmp_path: Path) -> None:
    frames = np.stack([np.roll(ramp(), 3 * number, axis=0) for number in range(3)])
    write(tmp_path / "many.dcm", frames)
    write(tmp_path / "one", ramp(), PatientID="17")
    write(tmp_path / "two.dcm", ramp()[::-1].copy(), PatientID="17")
    assert frame_count(tmp_path / "many.dcm") == 3
    manifest = load_manifest(tmp_path)
    assert manifest.images == ("many.dcm#0", "many.dcm#1", "many.dcm#2", "one", "two.dcm")
    assert manifest.groups is not None
    groups = manifest.groups.tolist()
    assert groups[0] == groups[1] == groups[2] != groups[3] == groups[4]
    assert re.fullmatch(r"patient-[0-9a-f]{12}", groups[3])
    first, second = (read_image(manifest.path(row)) for row in (0, 1))
    assert not np.array_equal(first, second)
    assert np.array_equal(second, read_dicom(tmp_path / "many.dcm", 1))
    digests = {image_digest(manifest.path(row)) for row in range(5)}
    assert len(digests) == 5
    with pytest.raises(UnreadableImage, match="none numbered 7"):
        read_image(tmp_path / "many.dcm#7")
    (tmp_path / "list.csv").write_text("image,label,group\nmany.dcm#2,ill,a\none,well,b\n")
    listed = load_manifest(tmp_path / "list.csv")
    assert listed.images == ("many.dcm#2", "one")
    assert listed.groups is not None
    assert listed.groups.tolist() == ["a", "b"]


def test_a_group_code_is_salted(tmp_path: Path) -> None:
    path = write(tmp_path / "a.dcm", ramp(), PatientID="12345")
    salt = salt_of(tmp_path / "cache")
    assert salt == salt_of(tmp_path / "cache")
    assert (tmp_path / "cache" / "salt").stat().st_mode & 0o077 == 0
    assert group_code(path, salt=salt) == group_code(path, salt=salt)
    assert group_code(path, salt=salt) != group_code(path, salt="another")
    assert group_code(write(tmp_path / "b.dcm", ramp()), salt=salt) == ""


def test_slices_of_a_series_are_a_group_where_no_patient_is_named(tmp_path: Path) -> None:
    for name, series in {"a": "1.2.3", "b": "1.2.3", "c": "1.2.4"}.items():
        write(tmp_path / f"{name}.dcm", ramp(), SeriesInstanceUID=series)
    write(tmp_path / "d.dcm", ramp(), SeriesInstanceUID="1.2.3", PatientID="7")
    groups = load_manifest(tmp_path).groups
    assert groups is not None
    assert groups[0] == groups[1] != groups[2]
    assert [name.split("-")[0] for name in groups.tolist()] == ["series", "series", "series", "patient"]


@pytest.mark.parametrize(
    ("window", "expected"), [((1000.0, 1000.0), (500, 1500)), ("percentile", (20, 3980)), ("file", (0, 200))]
)
def test_the_window_decides_what_is_black_and_white(
    tmp_path: Path, window: Any, expected: tuple[int, int]
) -> None:
    values = ramp(dtype=np.int16)
    path = write(tmp_path / "a.dcm", values, WindowCenter=100, WindowWidth=200)
    pixels = read_dicom(path, window=window)[..., 0]
    low, high = expected
    assert values[pixels == 0].max() == pytest.approx(low, abs=8)
    assert values[pixels == 65535].min() == pytest.approx(high, abs=8)


@pytest.mark.parametrize("damage", ["cut", "header", "zeros", "huge"])
def test_damaged_files_are_refused_in_one_line(tmp_path: Path, damage: str) -> None:
    path = write(tmp_path / "a.dcm", ramp(), PatientName="Planted^Name")
    content = path.read_bytes()
    if damage == "huge":
        write(path, ramp(), Rows=60000, Columns=60000)
    else:
        changed = {"cut": content[:-900], "header": content[:140] + b"\xff" * 200, "zeros": bytes(len(content))}
        path.write_bytes(changed[damage])
    with pytest.raises(UnreadableImage) as caught:
        read_image(path)
    assert "\n" not in str(caught.value)
    assert "Planted" not in str(caught.value)


IDENTIFIERS = {
    "PatientName": "Planted^Griselda",
    "PatientID": "PLANTED-ZQXWK",
    "PatientBirthDate": "19330517",
    "StudyDate": "20190823",
    "AccessionNumber": "ACC998877",
    "InstitutionName": "Planted Infirmary",
}


def test_no_identifier_is_written_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("CASS_CACHE_DIR", str(tmp_path / "cache"))
    scans = tmp_path / "scans"
    for number in range(160):  # one damaged file of the test images alone is below 5% of them
        rng = np.random.default_rng(number)
        folder = scans / ("disc" if number % 2 else "stripes")
        folder.mkdir(parents=True, exist_ok=True)
        values = draw(number % 2, rng=rng).astype(np.uint16)
        values = (values if values.ndim == 2 else values[..., 0]) * np.uint16(16)
        planted = IDENTIFIERS | {"PatientID": f"PLANTED-ZQXWK-{number // 2}"}
        write(folder / f"{number:02d}.dcm", values, **planted)
    (scans / "disc" / "01.dcm").write_bytes((scans / "disc" / "01.dcm").read_bytes()[:-500])
    with caplog.at_level(logging.DEBUG):
        run = cass.pretrain(scans, out=tmp_path / "run", **TINY | {"epochs": 1}).out
        fast = {"epochs": 1, "batch_size": 8, "device": "cpu"}
        tuned = cass.finetune(run, labels=scans, out=tmp_path / "tuned", head="linear", **fast).out
        cass.evaluate(tuned, labels=scans, resamples=100, device="cpu")
        cass.predict(tuned, scans, out=tmp_path / "predictions.csv", device="cpu")
        cass.audit(scans, json_file=tmp_path / "audit.json", html=tmp_path / "audit.html")
        cass.split(scans, out=tmp_path / "safe.csv")
    assert "Unreadable" in caplog.text or "cannot be read" in caplog.text
    words = [word.encode() for text in IDENTIFIERS.values() for word in re.split(r"[\^ ]", text) if len(word) > 6]
    words += [b"PLANTED", b"ZQXWK"]  # letters: digits occur by chance among the figures
    places = [path for path in tmp_path.rglob("*") if path.is_file() and scans not in path.parents]
    assert len(places) > 30
    for path in places:
        content = path.read_bytes()
        assert not [word for word in words if word in content], path
    assert not [word for word in words if word.decode() in caplog.text]
