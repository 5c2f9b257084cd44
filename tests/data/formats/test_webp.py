from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cass.data.formats.header import read_header
from cass.data.formats.read import image_kind, read_image
from cass.data.formats.unreadable import UnreadableImage
from cass.data.manifest.manifest import load_manifest

RGB = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)


def test_lossless_files_keep_every_pixel(tmp_path: Path) -> None:
    Image.fromarray(RGB).save(tmp_path / "a.webp", lossless=True)
    assert np.array_equal(read_image(tmp_path / "a.webp"), RGB)
    assert image_kind(tmp_path / "a.webp") == ("WebP", 8)
    assert read_header(tmp_path / "a.webp").format == "WebP"
    assert load_manifest(tmp_path).images == ("a.webp",)


def test_orientation_is_undone_and_transparency_dropped(tmp_path: Path) -> None:
    picture = Image.fromarray(RGB).convert("RGBA")
    exif = picture.getexif()
    exif[274] = 6
    picture.save(tmp_path / "a.webp", lossless=True, exif=exif)
    assert np.array_equal(read_image(tmp_path / "a.webp"), np.rot90(RGB, -1))


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    Image.fromarray(RGB).save(tmp_path / "a.webp")
    (tmp_path / "a.webp").write_bytes((tmp_path / "a.webp").read_bytes()[:200])
    with pytest.raises(UnreadableImage, match=r"a\.webp"):
        read_image(tmp_path / "a.webp")
