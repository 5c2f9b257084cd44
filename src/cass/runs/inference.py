"""Passing images through saved branches, a chunk at a time, so that memory does not grow with the set."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cass.config.shared import ComputeSettings
from cass.data.store.store import ImageStore, check_unreadable
from cass.data.store.stream import DecodedChunk, chunk_images, stored_images, stream_images
from cass.hardware import torch_device
from cass.listing import warn_unreadable
from cass.models.backbones import BackboneSpec, Branch
from cass.models.checkpoints import load_branch
from cass.models.embedding import Output, embed_batch
from cass.models.modes import evaluation_mode
from cass.runs.folder import chosen_branches
from cass.types import Branches

log = logging.getLogger("cass")

SPAN = 4096
"""Images whose outputs are handed over together."""


@dataclass
class Chunk:
    """The outputs of a span of consecutive images.

    Attributes:
        span: The rows of the span.
        names: Names of the images in it that could be read, n of them.
        outputs: (n, W) floats by branch name; no names at all where n is 0.
        unreadable: Row -> why the image could not be read.
    """

    span: range
    names: list[str] = field(default_factory=list)
    outputs: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    unreadable: dict[int, str] = field(default_factory=dict)


def load_branches(run: Path, which: Branches) -> dict[str, Branch]:
    """Load the saved branches of a run.

    Args:
        run: Run folder of ``cass pretrain`` or ``cass finetune``.
        which: ``cnn``, ``transformer``, or ``both`` for all that the run holds.

    Returns:
        Branches by name.

    Raises:
        OutputError: Where the run does not hold the one asked for.
    """
    return {name: load_branch(path) for name, path in chosen_branches(run, which).items()}


def spans_of(images: int, *, size: int = SPAN) -> list[range]:
    """Cut the rows [0, images) into consecutive spans of ``size`` rows; the last may be shorter."""
    return [range(start, min(start + size, images)) for start in range(0, images, size)]


def infer(
    root: Path,
    names: Sequence[str],
    branches: dict[str, Branch],
    *,
    settings: ComputeSettings,
    batch_size: int,
    output: Output,
    stored: ImageStore | None = None,
    spans: Iterable[range] | None = None,
    known_unreadable: dict[int, str] | None = None,
    on_images: Callable[[int], None] = lambda count: None,
) -> Generator[Chunk, None, None]:
    """Pass images through branches; the next images are decoded while the current ones are computed.

    The outputs of a span do not depend on which other spans are computed.

    Args:
        root: Folder that the names are relative to.
        names: Names of all N images.
        branches: The branches by name; all take images of one size. Their modes are restored.
        settings: Where to compute.
        batch_size: Images at a time.
        output: Function of a branch and images (B, C, S, S) that returns (B, W).
        stored: The N images of the branches' size, decoded already; None decodes them on the way.
        spans: Rows to compute, as consecutive spans in [0, N); None is all, 4,096 at a time.
        known_unreadable: Row -> reason for images of other spans that could not be read earlier; they count, too.
        on_images: Called with the number of images passed since the last call.

    Yields:
        The outputs of each span, in order, without unreadable images; the log names the first 20 of those.

    Raises:
        DataError: Where more than 5% of all N images cannot be read.
    """
    device = torch_device(settings)
    spec = next(iter(branches.values())).spec
    for branch in branches.values():
        branch.to(device).to(memory_format=torch.channels_last)
    wanted = spans_of(len(names)) if spans is None else list(spans)
    size = chunk_images(spec.image_size, spec.in_chans, batch_size=batch_size)  # images decoded at a time
    pieces = (span[first : first + size] for span in wanted for first in range(0, len(span), size))
    images = stored_images(stored, pieces) if stored is not None else _streamed(root, names, pieces, spec=spec)
    unreadable = dict(known_unreadable or {})
    with closing(images), evaluation_mode(*branches.values()):
        for span in wanted:
            chunk = Chunk(span)
            passed: list[dict[str, Tensor]] = []
            for _ in range(0, len(span), size):
                decoded = next(images)
                _note(decoded.unreadable, unreadable, names)
                chunk.unreadable |= decoded.unreadable
                chunk.names += [names[row] for row in decoded.good()]
                for batch in decoded.batches(batch_size):
                    passed.append(_outputs(batch.to(device), branches, output))
                    on_images(len(batch))
                on_images(len(decoded.unreadable))
            if chunk.names:
                chunk.outputs = {name: torch.cat([part[name] for part in passed]).numpy() for name in branches}
            yield chunk


def _streamed(
    root: Path, names: Sequence[str], pieces: Iterable[range], *, spec: BackboneSpec
) -> Generator[DecodedChunk, None, None]:
    """Decode pieces of the list of images while the piece before is computed."""
    return stream_images(lambda row: root / names[row], pieces, image_size=spec.image_size, in_chans=spec.in_chans)


def _outputs(images: Tensor, branches: dict[str, Branch], output: Output) -> dict[str, Tensor]:
    """Pass one batch (B, C, S, S) through every branch; returns (B, W) floats on the CPU by branch name."""
    return {name: embed_batch(branch, images, output=output) for name, branch in branches.items()}


def _note(fresh: dict[int, str], unreadable: dict[int, str], names: Sequence[str]) -> None:
    """Add unreadable images to those known, name the first of them, and stop where they are too many."""
    warn_unreadable({names[row]: reason for row, reason in sorted(fresh.items())}, before=len(unreadable))
    unreadable |= fresh
    check_unreadable(unreadable, total=len(names), names=names)
