"""``cass embed``: write the embeddings of images."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cass.config.embed import EmbedConfig
from cass.listing import plural
from cass.reports.lines import unreadable_files
from cass.resolve.trained import ResolvedRows, resolve_embed
from cass.runs.inference import Chunk, load_branches
from cass.runs.rows import write_rows


@dataclass(frozen=True)
class EmbedResult:
    """Written embeddings.

    Attributes:
        out: The Parquet file, or the folder of Parquet shards.
        images: Number of images in it.
        widths: Width of the embedding by branch.
        unreadable: Reason by name of each unreadable image.
    """

    out: Path
    images: int
    widths: dict[str, int]
    unreadable: dict[str, str]


def run_embed(config: EmbedConfig, resolved: ResolvedRows | None = None) -> EmbedResult:
    """Write the embeddings of images to a Parquet file, or to a folder of Parquet shards.

    Each row holds ``image`` and, for each branch, a list of D floats. Memory does not grow with the number of
    images.

    Args:
        config: Settings of ``cass embed``.
        resolved: What :func:`resolve_embed` returned; None calls it.

    Returns:
        What was written.

    Raises:
        CassError: The run, the images or the output cannot be used.
        KeyboardInterrupt: It was stopped; ``resume`` continues.
    """
    import pyarrow as pa

    rows = resolved or resolve_embed(config)
    branches = load_branches(config.run, config.branch)
    widths = {name: branch.num_features for name, branch in branches.items()}
    schema = pa.schema(
        [("image", pa.string()), *((name, pa.list_(pa.float32(), width)) for name, width in widths.items())]
    )

    def tabulate(chunk: Chunk) -> Any:
        lists = [
            pa.FixedSizeListArray.from_arrays(pa.array(chunk.outputs[name].ravel()), width)
            for name, width in widths.items()
        ]
        return pa.table([pa.array(chunk.names), *lists], schema=schema)

    written = write_rows(
        rows.target,
        rows.root,
        rows.images,
        command="embed",
        config=config,
        branches=branches,
        output=lambda branch, images: branch.embed(images),
        schema=schema,
        tabulate=tabulate,
    )
    return EmbedResult(config.out, written.images, widths, written.unreadable)


def show(result: EmbedResult, config: EmbedConfig) -> Iterator[str]:
    """Yield what the command prints."""
    widths = ", ".join(f"{name} {width} dimensions" for name, width in result.widths.items())
    yield f"Wrote {result.out}: {plural(result.images, 'image')}, {widths}{unreadable_files(result.unreadable)}"
