from __future__ import annotations

import errno
import json
import logging
import os
import pickle
import re
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from cass.data.formats.identity import image_digests
from cass.data.formats.unreadable import UnreadableImage
from cass.data.store import cache
from cass.data.store.cache import INDEX, cache_key, cached_images
from cass.data.store.store import ImageStore, decode_images
from cass.errors import OutputError

Files = list[Path]


@pytest.fixture
def files(tmp_path: Path) -> Files:
    rng = np.random.default_rng(0)
    folder = tmp_path / "jane-doe"
    folder.mkdir()
    for index in range(6):
        pixels = rng.integers(0, 256, (12, 10, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"scan-of-jane-{index}.png")
    return sorted(folder.iterdir())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Numbers of images of every decoding."""
    counts: list[int] = []

    def spy(paths: Files, *arguments: object, **options: object) -> object:
        counts.append(len(paths))
        return original(paths, *arguments, **options)

    original: Callable[..., object] = cache.decode_each
    monkeypatch.setattr(cache, "decode_each", spy)
    return counts


def take(files: Files, folder: Path, *, image_size: int = 8, required: bool = True) -> ImageStore:
    store = cached_images(
        files,
        digests=image_digests(files),
        image_size=image_size,
        in_chans=3,
        folder=folder,
        required=required,
    )
    assert store is not None
    return store


def plain(files: Files, image_size: int = 8) -> np.ndarray:
    names = [path.name for path in files]
    return decode_images(files, names=names, image_size=image_size, in_chans=3).array


def entries(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != cache.LOCK)


def test_the_second_use_decodes_nothing(
    files: Files, folder: Path, decoded: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="cass"):
        first, second = take(files, folder), take(files, folder)
    assert decoded == [6]
    assert (first.array == plain(files)).all()
    assert (second.array == first.array).all()
    assert isinstance(second.array, np.memmap)
    assert not second.array.flags.writeable
    assert "Decoding 6 images of 8 px once" in caplog.messages[0]
    assert "Using 6 decoded images" in caplog.messages[1]
    assert len(caplog.messages) == 2


def test_content_and_settings_make_the_key(files: Files, folder: Path, decoded: list[int]) -> None:
    take(files, folder)
    moved = files[0].with_name("moved.png")
    files[0].rename(moved)
    take([moved, *files[1:]], folder)
    assert decoded == [6]  # a moved file is the same image
    Image.new("RGB", (9, 9), "red").save(moved)
    edited = take([moved, *files[1:]], folder)
    assert (edited.array[0] == (255, 0, 0)).all()
    assert take(files[1:], folder, image_size=4).array.shape == (5, 4, 4, 3)
    take(files[1:], folder)
    assert decoded == [6, 6, 5, 5]
    assert len(entries(folder)) == 4
    keys = {cache_key(order, image_size=8, in_chans=chans) for order in ("ab", "ba") for chans in (1, 3)}
    assert len(keys) == 4


def test_nothing_in_an_entry_names_an_image_and_only_the_user_may_look(files: Files, folder: Path) -> None:
    files[2].write_bytes(files[2].read_bytes()[:60])
    take(files, folder)
    (key,) = entries(folder)
    for path in (folder / key).iterdir():
        content = path.read_bytes()
        assert not any(word in content for word in (b"jane", b"scan", b".png", str(folder.parent).encode()))
    assert sorted(json.loads((folder / key / INDEX).read_text())["corrupt"]) == ["2"]
    assert stat.S_IMODE(folder.stat().st_mode) == stat.S_IMODE((folder / key).stat().st_mode) == 0o700


def test_a_reason_that_names_the_file_is_kept_without_it(
    files: Files, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(paths: Files, *_: object, **__: object) -> dict[int, UnreadableImage]:
        return {1: UnreadableImage(paths[1], f"bad header in {paths[1]} ({paths[1].name})")}

    monkeypatch.setattr(cache, "decode_each", fail)
    assert take(files, folder).unreadable == {1: "bad header in the file (the file)"}


def test_unreadable_images_are_remembered(files: Files, folder: Path, decoded: list[int]) -> None:
    files[4].write_bytes(b"no picture at all, whatever its name may say")
    first, second = take(files, folder), take(files, folder)
    assert decoded == [6]
    assert list(first.unreadable) == [4]
    assert first.unreadable == second.unreadable
    assert not second.array[4].any()
    assert second.subset([5, 4]).unreadable == {1: first.unreadable[4]}


def test_images_unreadable_for_now_are_not_remembered(
    files: Files, folder: Path, decoded: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path) -> object:
        if path == files[3]:
            raise UnreadableImage(path, "Input/output error", passing=True)
        return original(path)

    from cass.data.store import store as store_module

    original = store_module.read_picture
    monkeypatch.setattr(store_module, "read_picture", fail)
    broken = take(files, folder)
    assert list(broken.unreadable) == [3]
    assert entries(folder) == []
    monkeypatch.setattr(store_module, "read_picture", original)
    assert take(files, folder).unreadable == {}
    assert (broken.array[4] == plain(files)[4]).all()


def test_rows_are_chosen_without_a_copy(files: Files, folder: Path) -> None:
    store = take(files, folder)
    part = store.subset(np.array([4, 1, 3])).subset([2, 0])
    assert part.array is store.array
    assert len(part) == 2
    assert (part.pixels([0, 1, 0]) == store.array[[3, 4, 3]]).all()
    assert part.pixels([0]).dtype == np.uint8
    assert type(part.pixels([0])) is np.ndarray
    assert np.array_equal(part.pixels([1, 0]), store.pixels([4, 3]))
    with pytest.raises(IndexError):
        part.pixels([2])


def test_a_pickled_store_maps_the_file_instead_of_carrying_it(files: Files, folder: Path) -> None:
    part = take(files, folder, image_size=64).subset([2, 0])
    sent = pickle.dumps(part)
    assert len(sent) < 2000
    assert np.array_equal(pickle.loads(sent).pixels([0, 1]), part.pixels([0, 1]))
    in_memory = ImageStore(np.ones((1, 2, 2, 3), np.uint8), {})
    assert (pickle.loads(pickle.dumps(in_memory)).array == 1).all()


def test_sixteen_bit_keeps_its_precision(files: Files, folder: Path) -> None:
    pixels = np.random.default_rng(1).integers(1000, 1200, (8, 8, 3), dtype=np.uint16)
    files[5].write_bytes(imagecodecs.png_encode(pixels))
    for _ in range(2):
        store = take(files, folder)
        assert store.array.dtype == np.uint16
        assert (store.array[5] == pixels).all()
        assert (store.array[:5] == plain(files[:5]).astype(np.uint16) * 257).all()


DAMAGE: dict[str, Callable[[Path], object]] = {
    "cut": lambda entry: os.truncate(entry / "images.npy", 300),
    "longer": lambda entry: (entry / "images.npy").open("ab").write(b"more"),
    "no images": lambda entry: (entry / "images.npy").unlink(),
    "no index": lambda entry: (entry / INDEX).unlink(),
    "half an index": lambda entry: os.truncate(entry / INDEX, 30),
    "empty images": lambda entry: os.truncate(entry / "images.npy", 0),
    "other shape": lambda entry: np.save(entry / "images.npy", np.zeros((6, 8, 8, 1), np.uint8)),
    "other dtype": lambda entry: np.save(entry / "images.npy", np.zeros((6, 8, 8, 3), np.uint16)),
    "objects": lambda entry: np.save(entry / "images.npy", np.array([{}] * 6), allow_pickle=True),
    "index of another": lambda entry: (entry / INDEX).write_text('{"version": 1, "corrupt": {}}'),
    "index of no mapping": lambda entry: (entry / INDEX).write_text("[]"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_entry_is_made_again(files: Files, folder: Path, decoded: list[int], damage: str) -> None:
    take(files, folder)
    (key,) = entries(folder)
    DAMAGE[damage](folder / key)
    assert (take(files, folder).array == plain(files)).all()
    assert decoded == [6, 6]
    assert entries(folder) == [key]


PROCESS = r"""
import os, sys, time
from pathlib import Path
from cass.data.store import cache
from cass.data.formats.identity import image_digests
folder, pause, *names = sys.argv[1:]
original = cache.decode_each
def slow(paths, save, **options):
    def wait(row, image):
        os.write(1, b"row\n")
        time.sleep(float(pause))
        save(row, image)
    return original(paths, wait, **options)
cache.decode_each = slow
files = [Path(name) for name in names]
store = cache.cached_images(
    files, digests=image_digests(files), image_size=8, in_chans=3, folder=Path(folder), required=True
)
print("sum", int(store.array.sum()), flush=True)
"""


def start(files: Files, folder: Path, *, pause: float) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    line = [sys.executable, "-c", PROCESS, str(folder), str(pause), *map(str, files)]
    return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def test_what_a_killed_process_leaves_is_cleared(files: Files, folder: Path) -> None:
    process = start(files, folder, pause=60)
    assert process.stdout is not None
    assert process.stdout.readline() == "row\n"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    (left,) = entries(folder)
    assert re.fullmatch(cache.LEFTOVER, left)
    (folder / f".partial-{'0' * 32}").mkdir()  # as version 0.1 names it
    mine = folder / ".partial-notes"  # a folder of the user's may hold other things
    mine.mkdir()
    # The next writer clears it, whatever set it writes.
    take(files[:3], folder)
    assert (take(files, folder).array == plain(files)).all()
    keys = {cache_key(image_digests(part), image_size=8, in_chans=3) for part in (files, files[:3])}
    assert set(entries(folder)) == keys | {mine.name}


def test_of_two_processes_at_once_one_decodes(files: Files, folder: Path) -> None:
    processes = [start(files, folder, pause=0.4) for _ in range(2)]
    outputs = [process.communicate(timeout=60)[0].split("\n") for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    expected = f"sum {int(plain(files).sum())}"
    assert all(expected in lines for lines in outputs)
    assert sorted(lines.count("row") for lines in outputs) == [0, 6]
    assert len(entries(folder)) == 1


def no_room(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_is_found_before_decoding(
    files: Files,
    folder: Path,
    decoded: list[int],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(os, "posix_fallocate", no_room)
    with pytest.raises(OutputError, match=r"no room .* take 0\.0 MB.*--cache off") as caught:
        take(files, folder)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)
    options = {"digests": image_digests(files), "image_size": 8, "in_chans": 3, "folder": folder}
    caplog.clear()
    with caplog.at_level(logging.WARNING, logger="cass"):
        assert cached_images(files, required=False, **options) is None
    assert len(caplog.messages) == 1
    assert "continuing without" in caplog.messages[0]
    assert entries(folder) == []
    assert decoded == []


def test_a_disk_that_fails_in_mid_write_leaves_nothing(
    files: Files, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "decode_each", no_room)
    with pytest.raises(OutputError, match="no room"):
        take(files, folder)
    assert entries(folder) == []


def test_a_folder_that_cannot_be_written_is_named(files: Files, folder: Path) -> None:
    folder.write_text("a file")
    with pytest.raises(OutputError, match="Cannot keep the decoded images"):
        take(files, folder)


def sized(files: Files, folder: Path) -> int:
    """Bytes of an entry of the first three files, which is as large as one of three others."""
    take(files[:3], folder)
    (key,) = entries(folder)
    return sum(path.stat().st_size for path in (folder / key).iterdir())


def test_the_least_recently_used_entry_gives_way(
    files: Files, folder: Path, decoded: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    size = sized(files, folder)
    take(files[1:4], folder)
    for index, path in enumerate(sorted(folder.glob("*/index.json"), key=lambda path: path.stat().st_mtime)):
        os.utime(path, (time.time() - 100 + index,) * 2)
    take(files[:3], folder)  # used now, so that the other is the oldest
    monkeypatch.setattr(cache, "LIMIT", int(2.5 * size))
    take(files[2:5], folder)
    take(files[:3], folder)
    assert decoded == [3, 3, 3]
    assert len(entries(folder)) == 2
    monkeypatch.setattr(cache, "LIMIT", 100)
    take(files, folder)  # larger than the limit alone: kept where the user named the folder
    assert len(entries(folder)) == 1
    digests = image_digests(files[:3])
    refused = cached_images(files[:3], digests=digests, image_size=8, in_chans=3, folder=folder, required=False)
    assert refused is None
    assert len(entries(folder)) == 1  # nothing gives way where that does not help


def test_a_tenth_of_the_disk_stays_free(files: Files, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    size = sized(files, folder)
    disk = SimpleNamespace(total=100 * size, free=10 * size)
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda _: disk)
    take(files[1:4], folder)
    assert len(entries(folder)) == 1
    disk.free = 2 * size
    with pytest.raises(OutputError, match="no room"):
        take(files[2:5], folder)
    assert len(entries(folder)) == 1


def test_a_large_disk_need_not_be_a_tenth_free(
    files: Files, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = SimpleNamespace(total=4 * 10**12, free=11 * 10**9)
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda _: disk)
    take(files, folder)
    assert len(entries(folder)) == 1
    disk.free = 9 * 10**9
    with pytest.raises(OutputError, match="no room"):
        take(files[:3], folder)
