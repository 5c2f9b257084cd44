from __future__ import annotations

from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from cass.data.formats.read import image_kind, read_image
from cass.data.formats.unreadable import UnreadableImage
from cass.data.manifest.manifest import load_manifest

RNG = np.random.default_rng(0)
GREY8 = RNG.integers(0, 256, (40, 60), dtype=np.uint8)
RGB8 = RNG.integers(0, 256, (40, 60, 3), dtype=np.uint8)
GREY16 = RNG.integers(0, 65536, (40, 60), dtype=np.uint16)
RGB16 = RNG.integers(0, 65536, (40, 60, 3), dtype=np.uint16)


@pytest.mark.parametrize("codec", ["jp2", "j2k"])
@pytest.mark.parametrize("pixels", [GREY8, RGB8, GREY16, RGB16], ids=["grey8", "rgb8", "grey16", "rgb16"])
def test_lossless_files_keep_every_bit(tmp_path: Path, pixels: np.ndarray, codec: str) -> None:
    path = tmp_path / f"a.{codec}"
    path.write_bytes(imagecodecs.jpeg2k_encode(pixels, codecformat=codec, reversible=True))
    image = read_image(path)
    assert image.dtype == pixels.dtype
    assert np.array_equal(image, pixels.reshape(40, 60, -1))
    assert image_kind(path) == ("JPEG 2000", 8 * pixels.dtype.itemsize)
    assert load_manifest(tmp_path).images == (path.name,)


def test_twelve_bits_fill_the_range(tmp_path: Path) -> None:
    pixels = GREY16 >> 4
    pixels[0, :2] = 0, 4095
    (tmp_path / "a.jp2").write_bytes(imagecodecs.jpeg2k_encode(pixels, bitspersample=12, reversible=True))
    image = read_image(tmp_path / "a.jp2")
    assert image.dtype == np.uint16
    assert image[0, :2, 0].tolist() == [0, 65535]


def test_transparency_is_dropped(tmp_path: Path) -> None:
    picture = Image.fromarray(RGB8).convert("RGBA")
    picture.save(tmp_path / "a.jp2", irreversible=False)
    assert np.array_equal(read_image(tmp_path / "a.jp2"), RGB8)


@pytest.mark.parametrize("kept", [40, 100, 0.5])
@pytest.mark.parametrize("pixels", [RGB8, RGB16], ids=["8", "16"])
def test_a_truncated_file_is_refused(tmp_path: Path, pixels: np.ndarray, kept: float) -> None:
    content = imagecodecs.jpeg2k_encode(pixels, reversible=True)
    (tmp_path / "a.jp2").write_bytes(content[: int(kept * len(content)) if kept < 1 else int(kept)])
    with pytest.raises(UnreadableImage, match=r"a\.jp2"):
        read_image(tmp_path / "a.jp2")
