"""TIFF: stacks, channels, and samples that have no range of their own."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch

from cass.data.formats.read import image_kind, read_image
from cass.data.formats.tiff import tiff_pictures
from cass.data.formats.unreadable import UnreadableImage
from cass.data.manifest.manifest import load_manifest
from cass.data.store.dataset import to_images
from cass.data.store.store import decode_images
from cass.errors import DataError

FUZZED = Path(__file__).parents[2] / "fixtures" / "fuzzed"
RNG = np.random.default_rng(0)
STACK = RNG.integers(0, 65536, (5, 6, 9), dtype=np.uint16)


def write_one_by_one(path: Path) -> None:
    with tifffile.TiffWriter(path) as file:
        for plane in STACK:
            file.write(plane)


@pytest.mark.parametrize(
    "write",
    [
        lambda path: tifffile.imwrite(path, STACK),
        lambda path: tifffile.imwrite(path, STACK, metadata=None),
        lambda path: tifffile.imwrite(path, STACK, imagej=True, metadata={"axes": "ZYX"}),
        lambda path: tifffile.imwrite(path, STACK, ome=True, metadata={"axes": "TYX"}),
        write_one_by_one,
    ],
    ids=["shaped", "bare", "imagej", "ome", "one by one"],
)
def test_every_page_of_a_stack_is_an_image_of_one_group(tmp_path: Path, write) -> None:
    write(tmp_path / "stack.tif")
    tifffile.imwrite(tmp_path / "single.tif", STACK[0])
    manifest = load_manifest(tmp_path)
    assert manifest.images == ("single.tif", *(f"stack.tif#{page}" for page in range(5)))
    assert manifest.groups.tolist() == ["", *manifest.groups[1:2].tolist() * 5]
    assert manifest.groups[1]
    for page in range(5):
        assert (read_image(manifest.path(1 + page))[..., 0] == STACK[page]).all()
    with pytest.raises(DataError, match=r"it has 5 pictures, none numbered 5"):
        read_image(tmp_path / "stack.tif#5")


@pytest.mark.parametrize(
    ("axes", "shape", "first"), [("ZCYX", (2, 2, 6, 9), [0, 1]), ("CZYX", (2, 2, 6, 9), [0, 2])]
)
def test_channels_of_a_picture_are_no_pictures(
    tmp_path: Path, axes: str, shape: tuple[int, ...], first: list[int]
) -> None:
    tifffile.imwrite(tmp_path / "a.ome.tif", STACK[:4].reshape(shape), ome=True, metadata={"axes": axes})
    assert tiff_pictures(tmp_path / "a.ome.tif") == 2
    assert (read_image(tmp_path / "a.ome.tif#0") == np.stack(STACK[first], axis=-1)).all()


def test_levels_of_a_slide_and_thumbnails_are_no_pictures(tmp_path: Path) -> None:
    slide = RNG.integers(0, 256, (64, 96, 3), dtype=np.uint8)
    with tifffile.TiffWriter(tmp_path / "slide.tif") as file:
        file.write(slide, tile=(16, 16), subifds=1, photometric="rgb")
        file.write(slide[::2, ::2], tile=(16, 16), subfiletype=1, photometric="rgb")
    with tifffile.TiffWriter(tmp_path / "thumb.tif") as file:
        file.write(slide, photometric="rgb")
        file.write(slide[::4, ::4], photometric="rgb")
    assert tiff_pictures(tmp_path / "slide.tif") == tiff_pictures(tmp_path / "thumb.tif") == 1
    assert (read_image(tmp_path / "slide.tif") == slide).all()
    assert load_manifest(tmp_path).groups is None


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint32", "int16", "int32"])
def test_samples_without_a_range_keep_their_order_and_fill_sixteen_bits(tmp_path: Path, dtype: str) -> None:
    values = np.arange(60 * 50).reshape(60, 50).astype(dtype) - (700 if dtype != "uint32" else 0)
    tifffile.imwrite(tmp_path / "a.tif", values)
    pixels = read_image(tmp_path / "a.tif")
    assert pixels.dtype == np.uint16
    assert image_kind(tmp_path / "a.tif") == ("TIFF", 16)
    assert (np.diff(pixels.astype(np.int64).ravel()) >= 0).all()
    assert (pixels.min(), pixels.max()) == (0, 65535)
    assert len(np.unique(pixels)) > 2900


def test_what_is_no_number_is_black(tmp_path: Path) -> None:
    values = np.linspace(0, 1, 100, dtype=np.float32).reshape(10, 10)
    values[0, 5] = np.nan
    tifffile.imwrite(tmp_path / "a.tif", values)
    pixels = read_image(tmp_path / "a.tif")
    assert pixels[0, 5, 0] == 0
    assert pixels.max() == 65535
    tifffile.imwrite(tmp_path / "b.tif", np.full((4, 4), 7.5, dtype=np.float32))
    assert (read_image(tmp_path / "b.tif") == 0).all()


def test_more_than_256_levels_reach_the_network(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.arange(64 * 64, dtype=np.uint16).reshape(64, 64) * 16)
    store = decode_images([tmp_path / "a.tif"], names=["a"], image_size=64, in_chans=1)
    assert len(torch.unique(to_images(torch.from_numpy(store.pixels([0]))))) > 4000


@pytest.mark.parametrize("path", sorted(FUZZED.glob("*.tif")), ids=lambda path: path.stem)
def test_a_tiny_file_that_claims_hundreds_of_megabytes_is_not_decoded(path: Path) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(UnreadableImage, match=r"claims \d+ x \d+ pixels of \d+ samples in \d+ bytes"):
            read_image(path)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


def test_a_small_picture_of_many_channels_is_decoded(tmp_path: Path) -> None:
    pixels = RNG.integers(0, 256, (40, 30, 47), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "many.tif", pixels, photometric="minisblack", planarconfig="contig")
    assert np.array_equal(read_image(tmp_path / "many.tif"), pixels)
