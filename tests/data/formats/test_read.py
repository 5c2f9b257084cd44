from __future__ import annotations

from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from cass.data.formats.read import image_kind, read_image, to_channels
from cass.data.formats.unreadable import UnreadableImage
from cass.errors import DataError

RNG = np.random.default_rng(0)
GREY8 = RNG.integers(0, 256, (6, 9), dtype=np.uint8)
RGB8 = RNG.integers(0, 256, (6, 9, 3), dtype=np.uint8)
GREY16 = RNG.integers(0, 65536, (6, 9), dtype=np.uint16)
RGB16 = RNG.integers(0, 65536, (6, 9, 3), dtype=np.uint16)


def _check(path: Path, expected: np.ndarray) -> None:
    image = read_image(path)
    assert image.dtype == expected.dtype
    assert image.shape == (expected if expected.ndim == 3 else expected[..., None]).shape
    assert (image == expected.reshape(image.shape)).all()
    assert image_kind(path)[1] == 8 * expected.dtype.itemsize


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif"])
@pytest.mark.parametrize("pixels", [GREY8, RGB8], ids=["grey", "rgb"])
def test_eight_bit(tmp_path: Path, suffix: str, pixels: np.ndarray) -> None:
    Image.fromarray(pixels).save(tmp_path / f"a.{suffix}")
    _check(tmp_path / f"a.{suffix}", pixels)


@pytest.mark.parametrize("pixels", [GREY16, RGB16], ids=["grey", "rgb"])
def test_sixteen_bit_png_keeps_every_bit(tmp_path: Path, pixels: np.ndarray) -> None:
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(pixels))
    _check(tmp_path / "a.png", pixels)


@pytest.mark.parametrize(("pixels", "kept"), [(GREY16[..., None], 1), (RGB16, 3)], ids=["grey", "rgb"])
def test_sixteen_bit_png_drops_alpha(tmp_path: Path, pixels: np.ndarray, kept: int) -> None:
    alpha = np.full((6, 9, 1), 7, np.uint16)
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(np.concatenate([pixels, alpha], axis=2)))
    _check(tmp_path / "a.png", pixels[..., :kept])


@pytest.mark.parametrize("compression", [None, "lzw", "zlib"])
@pytest.mark.parametrize("pixels", [GREY8, RGB8, GREY16, RGB16], ids=["grey8", "rgb8", "grey16", "rgb16"])
def test_tiff(tmp_path: Path, pixels: np.ndarray, compression: str | None) -> None:
    for byteorder in "<>":
        tifffile.imwrite(tmp_path / "a.tif", pixels, compression=compression, byteorder=byteorder)
        _check(tmp_path / "a.tif", pixels)


def test_tiff_planar_bigtiff_and_first_page(tmp_path: Path) -> None:
    planes = np.moveaxis(RGB16, 2, 0)
    tifffile.imwrite(tmp_path / "a.tif", planes, photometric="rgb", planarconfig="separate", bigtiff=True)
    _check(tmp_path / "a.tif", RGB16)
    tifffile.imwrite(tmp_path / "b.tif", np.stack([GREY8, GREY8 // 2]), photometric="minisblack")
    _check(tmp_path / "b.tif", GREY8)


def test_tiff_with_five_channels_keeps_them_and_drops_only_alpha(tmp_path: Path) -> None:
    five = np.concatenate([RGB16, RGB16[..., :2]], axis=2)
    tifffile.imwrite(tmp_path / "a.tif", five, photometric="minisblack", planarconfig="contig")
    _check(tmp_path / "a.tif", five)
    tifffile.imwrite(tmp_path / "b.tif", five[..., :4], photometric="rgb", extrasamples=["unassalpha"])
    _check(tmp_path / "b.tif", RGB16)


def test_tiff_white_is_zero_is_inverted(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", GREY16, photometric="miniswhite")
    _check(tmp_path / "a.tif", 65535 - GREY16)


def test_tiff_of_twelve_bits_fills_the_range(tmp_path: Path) -> None:
    twelve = np.array([[0, 1, 4094, 4095]], dtype=np.uint16)
    # Packed by hand: two 12-bit samples in three bytes.
    packed = bytes([0x00, 0x00, 0x01, 0xFF, 0xEF, 0xFF])
    entries = [(256, 4, 1), (257, 1, 1), (258, 12, 1), (259, 1, 1), (262, 1, 1), (273, 0, 1), (277, 1, 1)]
    entries += [(278, 1, 1), (279, len(packed), 1)]
    size = 8 + 2 + 12 * len(entries) + 4
    ifd = len(entries).to_bytes(2, "little")
    for tag, value, count in entries:
        value = size if tag == 273 else value
        ifd += tag.to_bytes(2, "little") + (4).to_bytes(2, "little")
        ifd += count.to_bytes(4, "little") + value.to_bytes(4, "little")
    (tmp_path / "a.tif").write_bytes(b"II*\x00" + (8).to_bytes(4, "little") + ifd + bytes(4) + packed)
    _check(tmp_path / "a.tif", np.rint(twelve / 4095 * 65535).astype(np.uint16))


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tif"])
def test_palettes_become_rgb(tmp_path: Path, name: str) -> None:
    picture = Image.fromarray(RGB8).quantize(16)
    picture.save(tmp_path / name)
    _check(tmp_path / name, np.asarray(picture.convert("RGB")))


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_is_dropped_not_blended(tmp_path: Path, mode: str) -> None:
    colours = RGB8 if mode == "RGBA" else GREY8[..., None]
    Image.fromarray(np.concatenate([colours, np.full((6, 9, 1), 3, np.uint8)], axis=2), mode).save(
        tmp_path / "a.png"
    )
    _check(tmp_path / "a.png", colours)


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tif"])
def test_one_bit_is_black_and_white(tmp_path: Path, name: str) -> None:
    Image.fromarray(GREY8 > 127).save(tmp_path / name)
    _check(tmp_path / name, np.where(GREY8 > 127, 255, 0).astype(np.uint8))


def test_jpeg_grey_rgb_and_cmyk(tmp_path: Path) -> None:
    flat = Image.new("RGB", (16, 16), (200, 30, 60))
    for mode, channels in (("L", 1), ("RGB", 3), ("CMYK", 3)):
        flat.convert(mode).save(tmp_path / "a.jpg", quality=100)
        image = read_image(tmp_path / "a.jpg")
        expected = np.asarray(flat.convert("L" if channels == 1 else "RGB")).reshape(16, 16, channels)
        assert image.shape == (16, 16, channels)
        assert np.abs(image.astype(int) - expected).max() <= 4


def test_cmyk_tiff_becomes_rgb(tmp_path: Path) -> None:
    flat = Image.new("RGB", (8, 8), (200, 30, 60))
    flat.convert("CMYK").save(tmp_path / "a.tif")
    _check(tmp_path / "a.tif", np.asarray(flat))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "png16", "tif"])
def test_orientation_is_applied(tmp_path: Path, orientation: int, suffix: str) -> None:
    upright = np.zeros((16, 32), dtype=np.uint8)
    upright[:8, :8] = 255  # the corner at the top left
    upright[8:, :8] = 128  # below it
    # Where the standard says that the stored rows and columns lie.
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: np.rot90(upright),
        7: upright[::-1, ::-1].T,
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[274] = orientation
    path = tmp_path / f"a.{suffix[:3]}"
    if suffix == "png16":
        plain = imagecodecs.png_encode(np.ascontiguousarray(stored).astype(np.uint16) * 257)
        Image.fromarray(np.ascontiguousarray(stored)).save(path, exif=exif)
        chunk = path.read_bytes()
        start = chunk.index(b"eXIf") - 4
        end = start + 12 + int.from_bytes(chunk[start : start + 4], "big")
        path.write_bytes(plain[:33] + chunk[start:end] + plain[33:])
    elif suffix == "tif":
        tifffile.imwrite(path, stored, extratags=[(274, "H", 1, orientation, True)])
    else:
        Image.fromarray(np.ascontiguousarray(stored)).save(path, exif=exif, quality=100)
    image = read_image(path)[..., 0]
    image = image // 257 if image.dtype == np.uint16 else image
    assert image.shape == upright.shape
    assert np.abs(image.astype(int) - upright).max() <= 3


def test_content_decides_not_the_suffix(tmp_path: Path) -> None:
    Image.fromarray(RGB8).save(tmp_path / "a.jpg", format="PNG")
    _check(tmp_path / "a.jpg", RGB8)


def _truncate(path: Path, share: float) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.bmp", "a.tif", "lzw.tif", "16.png"])
@pytest.mark.parametrize("share", [0.0, 0.002, 0.05, 0.5, 0.9])
def test_truncated_files_are_one_line_with_name_and_reason(tmp_path: Path, name: str, share: float) -> None:
    path = tmp_path / name
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    if name == "16.png":
        path.write_bytes(imagecodecs.png_encode(noise.astype(np.uint16) * 257))
    elif name.endswith("tif"):
        tifffile.imwrite(path, noise, compression="lzw" if name == "lzw.tif" else None)
    else:
        Image.fromarray(noise).save(path)
    _truncate(path, share)
    with pytest.raises(UnreadableImage) as caught:
        read_image(path)
    assert name in str(caught.value)
    assert caught.value.reason
    assert "\n" not in str(caught.value)


def test_files_that_are_no_images_or_not_there(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"<html>not an image at all, but a long enough page</html>")
    with pytest.raises(DataError, match=r"a\.png \(not one of .*DICOM, JPEG"):
        read_image(tmp_path / "a.png")
    with pytest.raises(DataError, match=r"gone\.png \(No such file"):
        read_image(tmp_path / "gone.png")
    with pytest.raises(DataError, match=r"gone\.png \(No such file"):
        image_kind(tmp_path / "gone.png")


def test_grey_is_repeated() -> None:
    three = to_channels(GREY16[..., None], 3)
    assert three.dtype == np.uint16
    assert (three == GREY16[..., None]).all()
    assert three.shape == (6, 9, 3)


@pytest.mark.parametrize("pixels", [RGB8, RGB16], ids=["8", "16"])
def test_rgb_to_luminance(pixels: np.ndarray) -> None:
    expected = np.rint(pixels.astype(np.float64) @ [0.299, 0.587, 0.114])
    grey = to_channels(pixels, 1)
    assert grey.dtype == pixels.dtype
    assert np.abs(grey[..., 0].astype(np.float64) - expected).max() <= 1
    same = np.repeat(pixels[..., :1], 3, axis=2)
    assert (to_channels(same, 1) == pixels[..., :1]).all()


def test_channels_that_do_not_fit() -> None:
    assert to_channels(RGB8, 3) is RGB8
    with pytest.raises(DataError, match="3 channels where 4 are wanted"):
        to_channels(RGB8, 4)


def test_a_camera_jpeg_with_a_second_picture_reads_the_first(tmp_path: Path) -> None:
    flat = Image.new("RGB", (16, 16), (200, 30, 60))
    flat.save(tmp_path / "a.jpg", format="MPO", save_all=True, append_images=[Image.new("RGB", (16, 16))])
    assert np.abs(read_image(tmp_path / "a.jpg").astype(int) - (200, 30, 60)).max() <= 4
