"""Decoded images kept on disk: a set is decoded once, and every later run maps the same file.

A folder of entries, each named by what its images are (``<folder>/<key>/images.npy`` and ``index.json``).
Entries hold no image names, paths or patient identifiers. One process at a time writes; entries appear
whole or not at all.
"""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import math
import os
import re
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from cass.data.formats.unreadable import Pixels, UnreadableImage
from cass.data.store.store import ImageStore, any_deep, decode_each, reason
from cass.errors import OutputError
from cass.files import whole_folder, write_json
from cass.progress import image_counter

log = logging.getLogger("cass")

CACHE_VERSION = 1
"""Of the format and of how images are decoded; another version makes other entries."""
LIMIT = 50 * 10**9
"""The most bytes that all entries of a folder take; one larger entry alone may stand in a folder of the user's."""
FREE_SHARE, FREE_MOST = 0.1, 10 * 10**9
"""Share of the disk that is always left free, and the most bytes that this means."""
ARRAY_FILE, INDEX, LOCK = "images.npy", "index.json", ".lock"
LEFTOVER = r"\.[0-9a-f]{32}\.partial-[0-9a-f]{12}|\.partial-[0-9a-f]{32}"
"""Names of the temporary folders of entries; the second as version 0.1 names them."""
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def cached_images(
    paths: Sequence[Path],
    *,
    digests: Sequence[str],
    image_size: int,
    in_chans: int,
    folder: Path,
    required: bool,
) -> ImageStore | None:
    """Take the decoded images of a set from a folder, or decode them into it first.

    Args:
        paths: N image files, the whole set.
        digests: N content digests; they, the size and the channels are what an entry is found by.
        image_size: Side S in pixels.
        in_chans: Channels C.
        folder: Where the entries are; made where it is missing. The least recently used entries give way
            where the limits ask for it.
        required: Whether to stop where the images cannot be kept, instead of saying so and returning None.

    Returns:
        The store of all N images, mapped from the disk; uint16 where any image of the set has 16 bits.

    Raises:
        OutputError: ``required``, and the folder cannot be written or has no room.
    """
    key = cache_key(digests, image_size=image_size, in_chans=in_chans)
    shape = (len(paths), image_size, image_size, in_chans)
    store = _open_entry(folder / key, key=key, shape=shape)
    if store is None:
        dtype = np.dtype(np.uint16 if any_deep(paths) else np.uint8)
        needed = math.prod(shape) * dtype.itemsize
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with _locked(folder):
                store = _open_entry(folder / key, key=key, shape=shape)  # another process may have been first
                if store is None:
                    _clear(folder, key)
                    _make_room(folder, needed, limit=max(LIMIT, needed) if required else LIMIT)
                    return _build(folder, paths, key=key, shape=shape, dtype=dtype)
        except OSError as error:
            what = f"Cannot keep the decoded images in {folder}: {error.strerror or type(error).__name__}"
            if error.errno in _FULL:
                what = f"{folder} has no room for the decoded images, which take {_size(needed)}"
            if required:
                raise OutputError(
                    what, "Make room, name another folder with --cache, or pass --cache off."
                ) from None
            log.warning("%s; continuing without a cache (--cache DIR names another folder).", what)
            return None
    log.info("Using %s decoded images of %d px from the cache %s.", f"{len(paths):,}", image_size, folder)
    return store


def cache_key(digests: Sequence[str], *, image_size: int, in_chans: int) -> str:
    """Return the name of an entry: 32 hexadecimal digits.

    Args:
        digests: Content digests of the images in their order.
        image_size: Side in pixels.
        in_chans: Channels.
    """
    content = hashlib.blake2b(json.dumps([CACHE_VERSION, image_size, in_chans]).encode(), digest_size=16)
    for digest in digests:
        content.update(digest.encode())
    return content.hexdigest()


def _open_entry(entry: Path, *, key: str, shape: tuple[int, ...]) -> ImageStore | None:
    """Map an entry and note that it was used; None where it is missing or not what it should be."""
    try:
        index = json.loads((entry / INDEX).read_text(encoding="utf-8"))
        array = np.load(entry / ARRAY_FILE, mmap_mode="r", allow_pickle=False)
        unreadable = {int(row): str(why) for row, why in index["corrupt"].items()}
        described = (index["version"], index["key"], tuple(index["shape"]), index["dtype"])
        if (
            described != (CACHE_VERSION, key, shape, array.dtype.name)
            or array.shape != shape
            or array.dtype not in (np.uint8, np.uint16)
            or (entry / ARRAY_FILE).stat().st_size != array.offset + array.nbytes
            or not all(0 <= row < shape[0] for row in unreadable)
        ):
            return None
    except (OSError, EOFError, ValueError, KeyError, TypeError, AttributeError):
        return None
    with suppress(OSError):  # a cache that can only be read is used all the same
        os.utime(entry / INDEX)
    return ImageStore(array=array, unreadable=unreadable)


def _build(
    folder: Path, paths: Sequence[Path], *, key: str, shape: tuple[int, ...], dtype: np.dtype[Any]
) -> ImageStore:
    """Decode the images into a temporary folder, then give it the entry's name; the caller holds the lock."""
    size = _size(math.prod(shape) * dtype.itemsize)
    log.info("Decoding %s images of %d px once into %s (%s).", f"{len(paths):,}", shape[1], folder, size)
    with whole_folder(folder / key, private=True) as partial:
        with _written_array(partial / ARRAY_FILE, shape, dtype) as save, image_counter(len(paths)) as on_progress:
            errors = decode_each(
                paths, save, image_size=shape[1], in_chans=shape[3], dtype=dtype, on_progress=on_progress
            )
        unreadable = {row: _nameless(reason(error), paths[row]) for row, error in errors.items()}
        index = {"version": CACHE_VERSION, "key": key, "shape": shape, "dtype": dtype.name, "corrupt": unreadable}
        write_json(partial / INDEX, index)
        passing = any(isinstance(error, UnreadableImage) and error.passing for error in errors.values())
        if passing:
            log.warning("Some images could not be read at the moment, so the decoded images are not cached.")
            store = _open_entry(partial, key=key, shape=shape)  # what is mapped stays until the store is gone
            shutil.rmtree(partial)
    if not passing:
        store = _open_entry(folder / key, key=key, shape=shape)
    if store is None:
        raise OSError(errno.EIO, "what was written reads back otherwise")
    return store


@contextmanager
def _written_array(
    path: Path, shape: tuple[int, ...], dtype: np.dtype[Any]
) -> Iterator[Callable[[int, Pixels], None]]:
    """Reserve a .npy file of zeros; yields a function that writes one row, from any thread."""
    guard = threading.Lock()
    row_bytes = math.prod(shape[1:]) * dtype.itemsize
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": dtype.str, "fortran_order": False, "shape": shape})
        file.flush()
        start, end = file.tell(), file.tell() + shape[0] * row_bytes
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, end)  # a disk without room is found before the work
        else:
            file.truncate(end)

        def save(row: int, image: Pixels) -> None:
            with guard:
                file.seek(start + row * row_bytes)
                file.write(np.ascontiguousarray(image).data)

        yield save
        file.flush()
        os.fsync(file.fileno())


def _clear(folder: Path, key: str) -> None:
    """Remove what killed processes left, and an entry that is damaged; the caller holds the lock."""
    for path in folder.iterdir():
        if re.fullmatch(LEFTOVER, path.name) or path.name == key:
            shutil.rmtree(path, ignore_errors=True)


def _make_room(folder: Path, needed: int, *, limit: int) -> None:
    """Remove the least recently used entries, but only where that makes enough room."""
    entries = []
    for path in folder.iterdir():
        if re.fullmatch("[0-9a-f]{32}", path.name) and path.is_dir():
            files = {file.name: file.stat() for file in path.iterdir()}
            used = files[INDEX].st_mtime if INDEX in files else 0.0
            entries.append((used, sum(file.st_size for file in files.values()), path))
    taken = sum(size for _, size, _ in entries)
    disk = shutil.disk_usage(folder)
    spare = min(math.ceil(FREE_SHARE * disk.total), FREE_MOST)
    missing = max(taken + needed - limit, needed + spare - disk.free)
    if missing > taken:
        raise OSError(errno.ENOSPC, "no room")
    for _, size, path in sorted(entries):
        if missing <= 0:
            return
        log.info("Removing the least recently used decoded images from %s (%s).", folder, _size(size))
        shutil.rmtree(path, ignore_errors=True)
        missing -= size


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Wait until no other process writes into the folder; the lock of one that is killed is gone with it."""
    from filelock import FileLock, Timeout

    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        log.info("Waiting for another process that is decoding images into %s.", folder)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _nameless(text: str, path: Path) -> str:
    """Take a file's path and name out of a decoder's complaint."""
    return text.replace(str(path), "the file").replace(path.name, "the file")


def _size(count: int) -> str:
    """Write a number of bytes for people."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
