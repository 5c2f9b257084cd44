"""``cass embed``: write the embeddings of images."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cass.config import EmbedConfig, build_config
from cass.data.manifest import load_manifest
from cass.workflows.inference import infer, load_branches
from cass.workflows.run_folder import check_free


@dataclass(frozen=True)
class EmbedResult:
    """Written embeddings.

    Attributes:
        out: The Parquet file.
        images: Number of images in it.
        widths: Width of the embedding by branch.
    """

    out: Path
    images: int
    widths: dict[str, int]


def embed(
    run: str | Path, data: str | Path, *, out: str | Path, config: str | Path | None = None, **settings: Any
) -> EmbedResult:
    """Write the embeddings of images to a Parquet file.

    Args:
        run: Run folder of :func:`cass.pretrain` or :func:`cass.finetune`.
        data: Folder of images, CSV manifest, or ``generated``.
        out: Parquet file to write: a row an image with ``image`` and, for each branch, a list of D floats.
        config: YAML file with further settings.
        settings: Fields of :class:`cass.config.EmbedConfig` by name.

    Returns:
        The file and what is in it.

    Raises:
        CassError: For anything that the user can mend, in one line.
    """
    values = settings | {"run": Path(run), "data": str(data), "out": Path(out)}
    return run_embed(build_config(EmbedConfig, values, source=Path(config) if config else None))


def run_embed(config: EmbedConfig) -> EmbedResult:
    """Do what :func:`embed` says, with a configuration that is already checked."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    check_free(config.out)
    branches = load_branches(config.run, config.branch)
    manifest = load_manifest(config.data)
    widths = {name: branch.num_features for name, branch in branches.items()}
    schema = pa.schema(
        [("image", pa.string()), *((name, pa.list_(pa.float32(), width)) for name, width in widths.items())]
    )
    config.out.parent.mkdir(parents=True, exist_ok=True)
    partial = config.out.with_name(f".{config.out.name}.partial-{os.getpid()}")
    count = 0
    try:
        with pq.ParquetWriter(partial, schema) as writer:
            for chunk in infer(
                manifest,
                branches,
                settings=config,
                batch_size=config.batch_size,
                output=lambda branch, images: branch.embed(images),
            ):
                lists = [
                    pa.FixedSizeListArray.from_arrays(pa.array(chunk.outputs[name].ravel()), width)
                    for name, width in widths.items()
                ]
                writer.write_table(pa.table([pa.array(chunk.names), *lists], schema=schema))
                count += len(chunk.names)
        os.replace(partial, config.out)
    finally:
        partial.unlink(missing_ok=True)
    return EmbedResult(config.out, count, widths)
