"""Where the rows of ``cass embed`` and ``cass predict`` go: a file, or a folder of shards."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cass.errors import OutputError
from cass.runs.folder import check_free

FILES = (".parquet", ".csv")
OTHER_FILES = (
    ".xlsx",
    ".xls",
    ".tsv",
    ".txt",
    ".json",
    ".npy",
    ".npz",
    ".h5",
    ".hdf5",
    ".feather",
    ".pkl",
    ".html",
)
"""Suffixes of files that are not written; a folder is not meant by them."""
JOB_FILE = "_job.json"  # readers of Parquet folders pass over names that begin with _ or .


@dataclass(frozen=True)
class Target:
    """Where rows go.

    Attributes:
        out: The file or folder to be.
        folder: Where the shards are made: ``out`` itself, or a hidden folder beside the file.
    """

    out: Path
    folder: Path

    @property
    def is_file(self) -> bool:
        """Whether the shards are joined into one file."""
        return self.folder != self.out


def choose_target(out: Path, *, files: Sequence[str], resume: bool) -> Target:
    """Decide by its name whether an output is a file or a folder, and make sure that it is free.

    Args:
        out: The file or folder to be.
        files: Suffixes of the files that the command writes; any other name is a folder of shards.
        resume: Whether unfinished work there is continued.

    Returns:
        The output and its working folder.

    Raises:
        OutputError: It is taken, cannot be written, or is unfinished and ``resume`` is false.
    """
    suffix = out.suffix.lower()
    if suffix in (*FILES, *OTHER_FILES) and suffix not in files:
        raise OutputError(
            f"{out} cannot be written as {suffix}", f"Name a {' or '.join(files)} file, or a folder for shards."
        )
    target = Target(out, out.with_name(f".{out.name}.parts") if suffix in FILES else out)
    if not target.is_file:
        if out.is_dir() and (out / JOB_FILE).is_file():
            if holds_shards(out) and not resume:
                raise OutputError(
                    f"The output folder {out} holds earlier work",
                    "Continue it with --resume, choose a new --out, or remove the folder.",
                )
            return target
        check_free(out)
        return target
    if out.is_dir():
        raise OutputError(f"{out} is a folder", f"Choose another --out, or remove it; {suffix} names a file.")
    shutil.rmtree(joined_folder(out), ignore_errors=True)
    unfinished = holds_shards(target.folder)
    if not (unfinished and resume and out.is_file()):  # a kill can fall between the file and the clearing up
        check_free(out)
    if unfinished and not resume:
        raise OutputError(
            f"{out} was begun and not finished", f"Continue it with --resume, or remove {target.folder}."
        )
    return target


def holds_shards(folder: Path) -> bool:
    """Whether there is anything in a folder that is worth keeping: a job that has not begun is not."""
    return folder.is_dir() and any(
        path.name != JOB_FILE and not path.name.startswith(".") for path in folder.iterdir()
    )


def joined_folder(out: Path) -> Path:
    """Name of the folder of shards while they are removed."""
    return out.with_name(f".{out.name}.joined")
