"""From images to a file or folder of rows, through shards: what ``cass embed`` and ``cass predict`` share."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from cass.config.embed import EmbedConfig
from cass.config.predict import PredictConfig
from cass.data.store.stream import fitted_image
from cass.files import remove_partials, whole_file
from cass.models.backbones import BackboneSpec, Branch
from cass.models.embedding import Output
from cass.progress import ImageProgress
from cass.runs.folder import branch_files, check_free, claimed
from cass.runs.inference import Chunk, infer
from cass.runs.predictions import csv_text
from cass.runs.shards import Shards, cannot_write, open_shards
from cass.runs.targets import JOB_FILE, Target, holds_shards, joined_folder


@dataclass(frozen=True)
class Written:
    """What was written.

    Attributes:
        images: Number of rows.
        unreadable: Reason by name of each unreadable image.
    """

    images: int
    unreadable: dict[str, str]


def write_rows(
    target: Target,
    root: Path,
    names: Sequence[str],
    *,
    command: str,
    config: EmbedConfig | PredictConfig,
    branches: dict[str, Branch],
    output: Output,
    schema: Any,
    tabulate: Callable[[Chunk], Any],
) -> Written:
    """Pass images through branches and write a row for each, in memory that does not grow with their number.

    Args:
        target: Where to.
        root: Folder that the image paths are relative to.
        names: N paths, one row each.
        command: The command, such as ``embed``.
        config: Its settings.
        branches: The branches by name.
        output: Function of a branch and images (B, C, S, S) that returns (B, W).
        schema: Arrow schema of the rows.
        tabulate: Function from a chunk with at least one readable image to an Arrow table.

    Returns:
        The number of rows, and what was unreadable.

    Raises:
        DataError: For more than 5% of images that cannot be read.
        OutputError: The unfinished work is of another job, or the disk refuses.
    """
    job = _job_of(command, config, branches, names)
    with _claimed_target(target):
        shards = open_shards(target.folder, job, schema=schema, resume=config.resume)
        if not _already_joined(target, shards):
            _forget_repaired(shards, root, names, spec=next(iter(branches.values())).spec)
        missing = shards.missing()
        before = len(names) - sum(len(span) for span in missing)
        with ImageProgress(command.capitalize(), total=len(names), done=before) as progress:
            passed = infer(
                root,
                names,
                branches,
                settings=config,
                batch_size=config.batch_size,
                output=output,
                spans=missing,
                known_unreadable=shards.unreadable,
                on_images=progress.advance,
            )
            with closing(passed):
                for chunk in passed:
                    table = tabulate(chunk) if chunk.names else schema.empty_table()
                    shards.write(chunk.span, table, unreadable=chunk.unreadable)
        if target.is_file:
            _join(shards, target.out)
    return Written(shards.written(), {names[row]: reason for row, reason in sorted(shards.unreadable.items())})


@contextmanager
def _claimed_target(target: Target) -> Iterator[None]:
    """Keep other processes from the working folder; it is removed where it holds nothing to continue from."""
    with claimed(target.folder):
        remove_partials(target.out.parent, name=target.out.name)
        try:
            yield
        finally:
            _remove_unused(target.folder)


def _job_of(
    command: str, config: EmbedConfig | PredictConfig, branches: dict[str, Branch], names: Sequence[str]
) -> dict[str, Any]:
    """State what the rows depend on, so that shards of another job are not mixed with them."""
    return {
        "command": command,
        "weights": _weights_digests(config.run, branches),
        "branch": getattr(config, "branch", "both"),
        "sensitivity": getattr(config, "sensitivity", None),
        "images": len(names),
        "image_list": _list_digest(names),
        "image_size": next(iter(branches.values())).spec.image_size,
    }


def _already_joined(target: Target, shards: Shards) -> bool:
    """Whether the file is whole: the process was killed before the shards were removed."""
    joined = target.is_file and target.out.exists()
    if joined and shards.missing():
        check_free(target.out)
    return joined


def _forget_repaired(shards: Shards, root: Path, names: Sequence[str], *, spec: BackboneSpec) -> None:
    """Make the shards again whose unreadable images can be read now: the user may have repaired them."""
    for row in list(shards.unreadable):
        image = fitted_image(root / names[row], image_size=spec.image_size, in_chans=spec.in_chans)
        if not isinstance(image, str):
            shards.forget(row // shards.rows)


def _remove_unused(folder: Path) -> None:
    """Remove the working folder where it holds no shard to continue from."""
    if not holds_shards(folder):
        (folder / JOB_FILE).unlink(missing_ok=True)
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def _join(shards: Shards, out: Path) -> None:
    """Stream the shards into one file, a shard at a time, and remove them."""
    try:
        if not out.exists():
            with whole_file(out, work=shards.folder) as partial, partial.open("wb") as file:
                _write_csv(shards, file) if out.suffix.lower() == ".csv" else _write_parquet(shards, file)
        # Renamed first, so that a kill while they are removed leaves no folder that looks unfinished.
        finished = joined_folder(out)
        os.replace(shards.folder, finished)
    except OSError as error:
        raise cannot_write(out, error) from None
    shutil.rmtree(finished, ignore_errors=True)


def _write_parquet(shards: Shards, file: Any) -> None:
    """Write the shards as the row groups of one Parquet file."""
    with pq.ParquetWriter(file, shards.schema) as writer:
        for table in shards.tables():
            if table.num_rows:
                writer.write_table(table)


def _write_csv(shards: Shards, file: Any) -> None:
    """Write the shards as one CSV with one header."""
    for number, table in enumerate(shards.tables()):
        file.write(csv_text(table.to_pandas(), header=number == 0).encode("utf-8"))


def _weights_digests(run: Path, branches: dict[str, Branch]) -> dict[str, str]:
    """Digest the weight file of each branch, by branch name."""
    digests: dict[str, str] = {}
    for name, path in branch_files(run).items():
        if name in branches:
            with open(path, "rb") as file:
                digests[name] = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    return digests


def _list_digest(names: Sequence[str]) -> str:
    """Digest the names of all images, in order."""
    digest = hashlib.blake2b(digest_size=16)
    for name in names:
        digest.update(name.encode("utf-8", "surrogateescape") + b"\0")
    return digest.hexdigest()
