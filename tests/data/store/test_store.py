from __future__ import annotations

import copy
import logging
import os
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import torch
from PIL import Image

from cass.data.store import store as store_module
from cass.data.store.dataset import to_images
from cass.data.store.store import ImageStore, check_unreadable, decode_images, memory_bytes, resize
from cass.errors import DataError, OutputError

RNG = np.random.default_rng(0)
RGB8 = RNG.integers(0, 256, (20, 30, 3), dtype=np.uint8)


def _decode(paths: list[Path], **options: object) -> ImageStore:
    arguments = {"image_size": 8, "in_chans": 3} | options
    return decode_images(paths, names=[path.name for path in paths], **arguments)  # type: ignore[arg-type]


def image(store: ImageStore) -> torch.Tensor:
    return to_images(torch.from_numpy(store.pixels([0])))[0]


def test_eight_bit_is_squashed_as_pillow_does(tmp_path: Path) -> None:
    Image.fromarray(RGB8).save(tmp_path / "a.png")
    Image.fromarray(RGB8[..., 0]).save(tmp_path / "b.png")
    done: list[int] = []
    store = _decode([tmp_path / "a.png", tmp_path / "b.png"], on_progress=done.append)
    assert store.array.shape == (2, 8, 8, 3)
    assert store.array.dtype == np.uint8
    assert store.unreadable == {}
    assert done == sorted(done)
    assert done[-1] == 2
    expected = np.asarray(Image.fromarray(RGB8).resize((8, 8), Image.Resampling.BILINEAR))
    assert (store.array[0] == expected).all()
    assert (store.array[1] == expected[..., :1]).all()
    assert (store.pixels([1, 0])[1] == expected).all()


def test_sixteen_bit_keeps_its_precision(tmp_path: Path) -> None:
    pixels = RNG.integers(1000, 1200, (8, 8), dtype=np.uint16)
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(pixels))
    store = _decode([tmp_path / "a.png"], in_chans=1)
    assert store.array.dtype == np.uint16
    assert (store.array[0, ..., 0] == pixels).all()
    assert torch.equal(image(store)[0], torch.from_numpy(pixels.astype(np.float32)) / 65535)


def test_depths_together_keep_both_exactly(tmp_path: Path) -> None:
    grey8 = np.arange(64, dtype=np.uint8).reshape(8, 8) * 4 + 3
    (tmp_path / "deep.png").write_bytes(imagecodecs.png_encode(np.full((8, 8), 12345, np.uint16)))
    Image.fromarray(grey8).save(tmp_path / "flat.png")
    store = _decode([tmp_path / "flat.png", tmp_path / "deep.png"], in_chans=1)
    assert (store.array[0, ..., 0] == grey8.astype(np.uint16) * 257).all()
    assert (store.array[1] == 12345).all()
    assert torch.allclose(image(store)[0], torch.from_numpy(grey8) / 255, atol=1e-7)
    assert image(store).max() == 1


def test_resizing_sixteen_bit_agrees_with_eight_bit() -> None:
    deep = resize(RGB8.astype(np.uint16) * 257, 8)
    assert deep.dtype == np.uint16
    assert np.abs(deep / 257 - resize(RGB8, 8)).max() <= 1
    assert (resize(np.full((5, 7, 2), 65535, np.uint16), 11) == 65535).all()


def test_resizing_is_antialiased() -> None:
    stripes = np.tile(np.array([[0, 255]], dtype=np.uint8).repeat(1, axis=1), (64, 32))[..., None]
    for image, middle in ((stripes, 127.5), (stripes.astype(np.uint16) * 257, 127.5 * 257)):
        inner = resize(image, 8)[2:-2, 2:-2].astype(float)
        assert np.abs(inner / middle - 1).max() < 0.05


def test_unreadable_images_are_named_noted_and_zero(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    Image.fromarray(RGB8).save(tmp_path / "good.png")
    Image.fromarray(RGB8).save(tmp_path / "bad.jpg")
    (tmp_path / "bad.jpg").write_bytes((tmp_path / "bad.jpg").read_bytes()[:300])
    with caplog.at_level(logging.WARNING, logger="cass"):
        store = _decode([tmp_path / "good.png", tmp_path / "bad.jpg", tmp_path / "gone.png"])
    assert set(store.unreadable) == {1, 2}
    assert "No such file" in store.unreadable[2]
    assert (store.array[1:] == 0).all()
    assert store.array[0].any()
    assert "bad.jpg" in caplog.messages[0]


def test_an_image_of_too_many_channels_is_noted(tmp_path: Path) -> None:
    Image.fromarray(RGB8).save(tmp_path / "a.png")
    assert "3 channels where 4" in _decode([tmp_path / "a.png"], in_chans=4).unreadable[0]


def test_above_the_share_of_memory_the_array_is_a_nameless_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "in").mkdir()
    Image.fromarray(RGB8).save(tmp_path / "in" / "a.png")
    in_memory = _decode([tmp_path / "in" / "a.png"])
    on_disk = _decode([tmp_path / "in" / "a.png"], max_memory_share=1e-12)
    assert isinstance(on_disk.array, np.memmap)
    assert not isinstance(in_memory.array, np.memmap)
    assert (on_disk.array == in_memory.array).all()
    assert torch.equal(image(on_disk), image(in_memory))
    assert os.listdir(tmp_path) == ["in"]


def test_no_room_for_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(RGB8).save(tmp_path / "a.png")
    usage = type("Usage", (), {"free": 10})
    monkeypatch.setattr(store_module.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(OutputError, match="TMPDIR"):
        _decode([tmp_path / "a.png"], max_memory_share=1e-12)


def test_more_than_a_twentieth_unreadable_stops() -> None:
    names = [f"{i}.png" for i in range(100)]
    check_unreadable(dict.fromkeys(range(5), "truncated"), total=100, names=names)
    with pytest.raises(DataError, match=r"6 of 100 images are unreadable, more than 5% \(0\.png: truncated;"):
        check_unreadable(dict.fromkeys(range(6), "truncated"), total=100, names=names)


def test_memory_is_a_plausible_number() -> None:
    assert 2**26 < memory_bytes() < 2**50


def test_sixteen_bit_is_rounded_not_cut() -> None:
    pair = np.array([[[100], [100]], [[100], [103]]], dtype=np.uint16)
    assert resize(pair, 1).item() == 101  # the mean is 100.75


def test_a_deep_copy_shares_the_images() -> None:
    store = ImageStore(np.zeros((4, 8, 8, 3), dtype=np.uint8), {})
    copied = copy.deepcopy({"images": store})
    assert copied["images"].array is store.array
