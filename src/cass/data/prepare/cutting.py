"""Pictures cut out of larger files, written once, with a manifest beside them."""

from __future__ import annotations

import json
import logging
import os
import posixpath
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Protocol, TypeVar

import numpy as np

from cass.config.prepare import PreparePicturesConfig
from cass.data.formats.references import MARK
from cass.data.formats.unreadable import Pixels, UnreadableImage
from cass.data.manifest.csv_text import manifest_csv
from cass.data.manifest.manifest import Manifest
from cass.errors import DataError, OutputError
from cass.files import remove_partials, whole_folder, write_json, write_text
from cass.listing import warn_unreadable
from cass.progress import ImageProgress
from cass.version import __version__

log = logging.getLogger("cass")

SETTINGS = "prepare.json"

T = TypeVar("T")


class Cutter(Protocol):
    """What takes a file apart."""

    def count(self, path: Path) -> int:
        """Count what :meth:`pictures` will yield."""

    def pictures(self, path: Path) -> Iterator[tuple[str, Pixels] | None]:
        """Yield names and pictures; None for what is not worth keeping; the name is "" of an only picture."""


@dataclass(frozen=True)
class PreparedPictures:
    """Pictures that are ready for cass.

    Attributes:
        out: The CSV.
        files: Number of files that were cut.
        pictures: Number of pictures written.
        dropped: Number of places without tissue, and of slices of a single value.
        unreadable: Files that could not be read, and why.
        unit: What the pictures are called.
    """

    out: Path
    files: int
    pictures: int
    dropped: int
    unreadable: dict[str, str]
    unit: str


def write_pictures(
    kind: str, config: PreparePicturesConfig, manifest: Manifest, cutter: Cutter, *, unit: str
) -> PreparedPictures:
    """Cut files, and write ``labels.csv`` when all are done; a stopped process is continued.

    Args:
        kind: Name of the command, which a folder remembers.
        config: Its settings.
        manifest: N files; what is known of one holds for its pictures.
        cutter: Takes a file apart.
        unit: What the pictures are called.

    Returns:
        What was written.

    Raises:
        OutputError: The folder holds something else, or cannot be written to.
        DataError: No file could be read, or no picture was worth keeping.
    """
    out = config.out
    _claim(out, kind, config)
    unreadable: dict[str, str] = {}
    planned = _plan(manifest, cutter, unreadable)
    targets = _targets(manifest, out)
    rows: list[int] = []
    names: list[str] = []
    done = 0
    with ImageProgress(f"Cutting {len(planned)} files", total=sum(planned.values()), unit=unit) as progress:
        for row, count in planned.items():
            target = targets[row]
            try:
                if not (target.is_dir() or target.with_name(f"{target.name}.png").is_file()):
                    _cut(cutter, manifest.path(row), target, progress)
                else:
                    progress.advance(count)
            except UnreadableImage as error:
                unreadable[manifest.images[row]] = error.reason
                continue
            written = _written_images(target)
            names += [path.relative_to(out).as_posix() for path in written]
            rows += [row] * len(written)
            done += count
    warn_unreadable(unreadable)
    if not rows:
        first = next(iter(unreadable.items()), None)
        why = f", the first: {first[0]} ({first[1]})" if first else ": all images are empty"
        raise DataError(f"None of the {len(manifest)} files gave an image{why}", "Fix the files or the settings.")
    made = _manifest_of(manifest, rows, names, root=out)
    write_text(out / "labels.csv", manifest_csv(made, folder=out))
    return PreparedPictures(out / "labels.csv", len(set(rows)), len(rows), done - len(rows), unreadable, unit)


def _claim(out: Path, kind: str, config: PreparePicturesConfig) -> None:
    """Take a folder for this command with these settings, or go on in one."""
    settings = {
        "command": kind,
        "settings": config.model_dump(mode="json", exclude={"out"}),
        "version": __version__,
    }
    if (out / "labels.csv").exists():
        raise OutputError(f"{out} is prepared already", "Name a new folder with --out.")
    if (out / SETTINGS).is_file():
        if json.loads((out / SETTINGS).read_text(encoding="utf-8")) == settings:
            return
        raise OutputError(f"{out} was begun with other settings", "Name a new folder with --out.")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise OutputError(f"{out} is not empty", "Name a new folder with --out.")
    with _writing(out):
        out.mkdir(parents=True, exist_ok=True)
        write_json(out / SETTINGS, settings)


def _plan(manifest: Manifest, cutter: Cutter, unreadable: dict[str, str]) -> dict[int, int]:
    """Count the pictures of each file that can be opened."""
    planned: dict[int, int] = {}
    for row in range(len(manifest)):
        try:
            planned[row] = _guarded(manifest.path(row), partial(cutter.count, manifest.path(row)))
        except UnreadableImage as error:
            unreadable[manifest.images[row]] = error.reason
    return planned


def _targets(manifest: Manifest, out: Path) -> list[Path]:
    """Say where the pictures of each file go: always inside of the folder, never two files to one place."""
    taken: dict[str, int] = {}
    targets = []
    for name in manifest.images:
        parts = [part for part in PurePosixPath(posixpath.normpath(name)).parts if part not in ("/", "..")]
        inside = "/".join(parts).replace(MARK, "-")
        taken[inside] = taken.get(inside, 0) + 1
        targets.append(out / (inside if taken[inside] == 1 else f"{inside}-{taken[inside]}"))
    return targets


def _cut(cutter: Cutter, path: Path, target: Path, progress: ImageProgress) -> None:
    """Write the pictures of one file, all or none."""
    remove_partials(target.parent, name=target.name)
    with _writing(target), whole_folder(target) as unfinished:
        only = False
        pictures = cutter.pictures(path)
        while (picture := _guarded(path, lambda: next(pictures, _END))) is not _END:
            progress.advance(1)
            if picture is not None:
                name, pixels = picture
                only = not name
                _save(unfinished / f"{name or target.name}.png", pixels)
        if only:  # then there is no folder
            os.replace(unfinished / f"{target.name}.png", target.with_name(f"{target.name}.png"))
            unfinished.rmdir()


_END: tuple[str, Pixels] = ("", np.zeros((0, 0, 1), dtype=np.uint8))


def _guarded(path: Path, read: Callable[[], T]) -> T:
    """Call a reader; whatever it raises becomes the one line of an unreadable file."""
    try:
        return read()
    except UnreadableImage:
        raise
    except MemoryError:
        raise UnreadableImage(path, "it does not fit into memory", passing=True) from None
    except Exception as error:
        words = " ".join(str(error).split()) or type(error).__name__
        raise UnreadableImage(path, f"it is damaged, or not what its name says: {words[:150]}") from None


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"Cannot write {path} ({error.strerror})", "Make room, or name another folder."
        ) from None


def _save(path: Path, pixels: Pixels) -> None:
    import imagecodecs

    content = imagecodecs.png_encode(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    with _writing(path):
        path.write_bytes(content)


def _written_images(target: Path) -> list[Path]:
    if target.is_dir():
        return sorted(target.glob("*.png"))
    return [target.with_name(f"{target.name}.png")]


def _manifest_of(manifest: Manifest, rows: list[int], names: list[str], *, root: Path) -> Manifest:
    """Make the manifest of pictures from that of their files, which become groups where they have none."""
    groups = manifest.groups if manifest.groups is not None else np.array([""] * len(manifest), dtype=np.str_)
    own = np.array(
        [group or name.partition(MARK)[0] for group, name in zip(groups.tolist(), manifest.images, strict=True)],
        dtype=np.str_,
    )
    return replace(replace(manifest, groups=own).subset(rows), root=root, images=tuple(names))
