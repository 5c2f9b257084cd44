"""``cass embed``: write the embeddings of images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cass.config.base import build_config
from cass.config.embed import EmbedConfig
from cass.runs.inference import Chunk, load_branches
from cass.runs.rows import choose_target, write_rows


@dataclass(frozen=True)
class EmbedResult:
    """Written embeddings.

    Attributes:
        out: The Parquet file, or the folder of Parquet shards.
        images: Number of images in it.
        widths: Width of the embedding by branch.
        skipped: Reason by name of each image that could not be read.
    """

    out: Path
    images: int
    widths: dict[str, int]
    skipped: dict[str, str]


def embed(
    run: str | Path, data: str | Path, *, out: str | Path, config: str | Path | None = None, **settings: Any
) -> EmbedResult:
    """Write the embeddings of images to a Parquet file, or to a folder of Parquet shards.

    Memory does not grow with the number of images, and what was stopped continues with ``resume=True``.

    Args:
        run: Run folder of :func:`cass.pretrain` or :func:`cass.finetune`.
        data: Folder of images, CSV manifest, or ``generated``.
        out: Parquet file to write, or, by a name that does not end in ``.parquet``, a folder of shards: a row
            an image with ``image`` and, for each branch, a list of D floats.
        config: YAML file with further settings.
        settings: Fields of :class:`cass.config.embed.EmbedConfig` by name.

    Returns:
        What was written.

    Raises:
        CassError: For anything that the user can mend, in one line.
    """
    values = settings | {"run": Path(run), "data": str(data), "out": Path(out)}
    return run_embed(build_config(EmbedConfig, values, source=Path(config) if config else None))


def run_embed(config: EmbedConfig) -> EmbedResult:
    """Do what :func:`embed` says, with a configuration that is already checked."""
    import pyarrow as pa

    target = choose_target(config.out, files=(".parquet",), resume=config.resume)
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
        target,
        command="embed",
        config=config,
        branches=branches,
        output=lambda branch, images: branch.embed(images),
        schema=schema,
        tabulate=tabulate,
    )
    return EmbedResult(config.out, written.images, widths, written.skipped)
