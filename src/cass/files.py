"""The one way to write a file or a folder: whole or not at all, and on the disk when it is there. Layer 0.

What is written stands under a temporary name beside its place until it is complete; then it is renamed. The
temporary name is unique, so that two processes do not write into each other's file.
"""

from __future__ import annotations

import glob
import json
import math
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

PARTIALS = ".*.partial*"
"""Temporary names of files and folders."""
Existing = Literal["refuse", "replace", "keep"]
"""What happens to a folder that is already there: it is an error, it is replaced, or it is kept."""


@contextmanager
def whole_file(
    path: Path, *, private: bool = False, keep: bool = False, work: Path | None = None
) -> Iterator[Path]:
    """Write a file under a temporary name; when the block ends without an error, it is renamed to its own.

    Args:
        path: The file; its folder must exist.
        private: Whether only the user may read it.
        keep: Whether a file that is there when the block ends is kept; otherwise it is replaced.
        work: Folder of the temporary file, on the same disk; None is the folder of the file.

    Yields:
        The temporary file to write and close.

    Raises:
        OSError: It cannot be written; an older file stays as it was.
    """
    partial = _partial_name(path if work is None else work / path.name)
    try:
        os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if private else 0o666))
        mode = partial.stat().st_mode
        if not private:
            partial.unlink()
        yield partial
        os.chmod(partial, mode)  # some libraries make their files private
        with open(partial, "rb+") as file:
            os.fsync(file.fileno())
        if keep:
            _rename_once(partial, path)
        else:
            os.replace(partial, path)
        _flush_folder(path.parent)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path, *, existing: Existing = "refuse", private: bool = False) -> Iterator[Path]:
    """Write a folder under a temporary name; when the block ends without an error, it is renamed to its own.

    Args:
        path: The folder; its parent is made.
        existing: What happens where there is a folder of that name when the block ends; an empty one is always
            replaced.
        private: Whether only the user may read it.

    Yields:
        The temporary folder. Where the block removes it, nothing is renamed.

    Raises:
        OSError: It cannot be written, or the folder exists and ``existing`` is ``refuse``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = _partial_name(path)
    try:
        partial.mkdir(mode=0o700 if private else 0o777)
        yield partial
        if partial.is_dir():
            _flush_folder(partial)
            if existing == "replace":
                shutil.rmtree(path, ignore_errors=True)
            else:
                with suppress(OSError):  # removes an empty folder only
                    path.rmdir()
            try:
                os.replace(partial, path)
            except OSError:
                if existing != "keep" or not path.is_dir():
                    raise
            _flush_folder(path.parent)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file of bytes, whole or not at all.

    Args:
        path: The file; its folder must exist.
        content: What to write.
    """
    with whole_file(path) as partial:
        partial.write_bytes(content)


def write_text(path: Path, text: str, *, private: bool = False, keep: bool = False) -> None:
    """Write a text file in UTF-8, whole or not at all.

    Args:
        path: The file; its folder must exist.
        text: What to write.
        private: Whether only the user may read it.
        keep: Whether a file that is already there is kept.
    """
    with whole_file(path, private=private, keep=keep) as partial:
        partial.write_text(text, encoding="utf-8")


def write_named(path: Path, text: str) -> None:
    """Write a text file that the user named; what a killed command left of it is removed first.

    Args:
        path: The file; its folder must exist.
        text: What to write.
    """
    remove_partials(path.parent, name=path.name)
    write_text(path, text)


def write_json(path: Path, content: Any) -> None:
    """Write JSON that every parser reads: NaN and infinities become null.

    Args:
        path: The file; its folder must exist.
        content: Plain values, mappings and sequences.
    """
    write_text(path, json.dumps(_finite(content), indent=2, ensure_ascii=False) + "\n")


def remove_partials(folder: Path, *, name: str | None = None) -> None:
    """Remove what killed processes left under temporary names; only where no other process writes.

    Args:
        folder: Folder of the files and folders to be.
        name: Name of one of them; None is all, those in the folders inside too.
    """
    found = folder.rglob(PARTIALS) if name is None else folder.glob(f".{glob.escape(name)}.partial*")
    for partial in list(found):
        if partial.is_dir():
            shutil.rmtree(partial, ignore_errors=True)
        else:
            partial.unlink(missing_ok=True)


def holds_files(folder: Path) -> bool:
    """Whether a folder holds anything but what was being written when its writer was killed."""
    return len(list(folder.iterdir())) > len(list(folder.glob(PARTIALS)))


def cache_folder() -> Path:
    """Return the folder for what cass can make again: CASS_CACHE_DIR, or else the user's cache folder."""
    import platformdirs

    return Path(os.environ.get("CASS_CACHE_DIR") or platformdirs.user_cache_dir("cass"))


def _partial_name(path: Path) -> Path:
    # A process id would not do: containers that share a folder may share process ids too.
    return path.with_name(f".{path.name}.partial-{uuid.uuid4().hex[:12]}")


def _rename_once(partial: Path, path: Path) -> None:
    """Rename a file unless there is one of the new name: the first of several writers wins."""
    try:
        os.link(partial, path)
    except OSError:  # it exists, or the file system has no links
        if not path.is_file():
            os.replace(partial, path)


def _flush_folder(folder: Path) -> None:
    """Bring the names in a folder onto the disk, where the system can."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:  # Windows
        return
    try:
        os.fsync(handle)
    except OSError:  # some network drives
        pass
    finally:
        os.close(handle)


def _finite(value: Any) -> Any:
    """Replace NaN and infinities by None, in mappings and sequences too."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    return value
