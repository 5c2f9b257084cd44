"""A folder of Parquet shards that is filled one shard at a time and can be taken up again after a kill."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from cass.errors import OutputError
from cass.files import remove_partials, whole_file, write_json
from cass.runs.targets import JOB_FILE, holds_shards

SHARD_ROWS = 4096
"""Rows of the image list that one shard covers: shard k those from ``k * SHARD_ROWS`` on."""

SHARD_FORMAT = "cass-shards-1"
_UNREADABLE = b"cass.corrupt"
_WORDS = {
    "format": "another version of cass",
    "command": "another command",
    "branch": "another --branch",
    "sensitivity": "another --sensitivity",
    "weights": "another run or model",
    "columns": "other classes",
    "image_list": "another list of images",
    "images": "another list of images",
    "image_size": "another image size",
    "shard_rows": "shards of another length",
}


@dataclass
class Shards:
    """The shards of one job.

    Attributes:
        folder: Where they lie, beside ``_job.json``.
        images: Length N of the image list.
        schema: Columns of every shard.
        rows: Rows of the image list that a shard covers.
        unreadable: Row -> reason, for images that the finished shards leave out because they cannot be read.
        done: Numbers of the finished shards.
    """

    folder: Path
    images: int
    schema: Any
    rows: int
    unreadable: dict[int, str] = field(default_factory=dict)
    done: set[int] = field(default_factory=set)

    def span(self, number: int) -> range:
        """Return the rows of the image list that a shard covers."""
        return range(number * self.rows, min((number + 1) * self.rows, self.images))

    def path(self, number: int) -> Path:
        """Return the file of a shard."""
        return self.folder / f"part-{number:05d}.parquet"

    def count(self) -> int:
        """Return the number of shards of the whole job."""
        return -(-self.images // self.rows)

    def missing(self) -> list[range]:
        """Return the rows of each shard that is still to be made, in order."""
        return [self.span(number) for number in range(self.count()) if number not in self.done]

    def written(self) -> int:
        """Return how many rows the finished shards hold."""
        return sum(len(self.span(number)) for number in self.done) - len(self.unreadable)

    def take_up(self) -> None:
        """Find the finished shards, and remove what a killed process left half-written."""
        remove_partials(self.folder)
        for number in range(self.count()):
            span, path = self.span(number), self.path(number)
            if not path.exists():
                continue
            try:
                with pq.ParquetFile(path) as file:
                    unreadable = _unreadable_rows(file.schema_arrow)
                    whole = file.metadata.num_rows == len(span) - len(unreadable)
                    whole = whole and file.schema_arrow.equals(self.schema)
            except (pa.ArrowException, OSError, ValueError):
                continue  # not a shard of cass, or damaged: it is made again
            if whole and all(row in span for row in unreadable):
                self.done.add(number)
                self.unreadable |= unreadable

    def forget(self, number: int) -> None:
        """Have a finished shard made again."""
        self.done.discard(number)
        for row in self.span(number):
            self.unreadable.pop(row, None)

    def write(self, span: range, table: Any, *, unreadable: dict[int, str]) -> None:
        """Write a shard, whole or not at all, so that it outlasts a power failure.

        Args:
            span: The rows that it covers.
            table: A row for each readable image of them, in order.
            unreadable: Row -> reason for the others.

        Raises:
            OutputError: The disk is full or refuses.
        """
        number = span.start // self.rows
        schema = self.schema
        if unreadable:
            schema = schema.with_metadata({_UNREADABLE: json.dumps(unreadable)})
        path = self.path(number)
        try:
            with whole_file(path) as partial:
                pq.write_table(table.replace_schema_metadata(schema.metadata), partial)
        except OSError as error:
            raise cannot_write(path, error) from None
        self.done.add(number)
        self.unreadable |= unreadable

    def tables(self) -> Iterator[Any]:
        """Yield the shards' tables in order, one at a time."""
        for number in range(self.count()):
            with pq.ParquetFile(self.path(number)) as file:
                yield file.read().replace_schema_metadata(None)


def open_shards(folder: Path, job: dict[str, Any], *, schema: Any, resume: bool) -> Shards:
    """Begin a folder of shards, or take one up again.

    Args:
        folder: Where the shards lie or will lie.
        job: What the shards depend on, by the names of this module's messages; ``images`` is their number.
        schema: Columns of every shard.
        resume: Whether finished shards are kept.

    Returns:
        The shards, those that are finished already found.

    Raises:
        OutputError: There are shards and ``resume`` is false, or they are of another job.
    """
    job = {"format": SHARD_FORMAT, "shard_rows": SHARD_ROWS, "columns": schema.names} | job
    shards = Shards(folder, images=job["images"], schema=schema, rows=SHARD_ROWS)
    if holds_shards(folder):
        if not resume:
            raise OutputError(f"{folder} holds unfinished work", "Continue it with --resume, or remove it.")
        _check_same(folder, job)
        shards.take_up()
        return shards
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / JOB_FILE, job)
    except OSError as error:
        raise cannot_write(folder, error) from None
    return shards


def _check_same(folder: Path, job: dict[str, Any]) -> None:
    """Refuse to mix shards of two jobs."""
    try:
        before = json.loads((folder / JOB_FILE).read_text(encoding="utf-8"))
        before.keys()
    except (OSError, ValueError, AttributeError):
        raise OutputError(
            f"{folder} holds no work of cass that can be continued (no {JOB_FILE})",
            "Choose another --out, or empty the folder.",
        ) from None
    for name, word in _WORDS.items():
        if before.get(name) != job.get(name):
            raise OutputError(
                f"The unfinished work in {folder} is of {word}",
                "Continue it with what it was begun with, or remove the folder.",
            )


def _unreadable_rows(schema: Any) -> dict[int, str]:
    """Read which rows a shard leaves out, and why."""
    return {int(row): reason for row, reason in json.loads((schema.metadata or {}).get(_UNREADABLE, "{}")).items()}


def cannot_write(path: Path, error: OSError) -> OutputError:
    """Say why a file could not be written, and that nothing is lost."""
    return OutputError(
        f"{path} cannot be written ({error.strerror or error})", "Fix the cause and continue with --resume."
    )
