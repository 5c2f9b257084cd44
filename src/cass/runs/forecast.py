"""What a pretraining run would take, measured on a few of its images before it starts."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cass.config.pretrain import PretrainConfig
from cass.data.manifest.manifest import Manifest
from cass.data.store.dataset import StoredImages
from cass.data.store.store import ImageStore, any_deep, check_unreadable, decode_images
from cass.hardware import peak_memory, torch_device
from cass.listing import plural
from cass.methods.base import Method
from cass.reports.lines import duration
from cass.runs.inputs import Plan, make_plan
from cass.training.batch_size import LARGEST
from cass.training.pretrain_fit import prepare_pretraining
from cass.training.start import random_start_cautions
from cass.training.timing import time_pretraining
from cass.training.watch import AUGMENTED
from cass.transforms.recipes import ViewRecipe
from cass.types import BranchName, Caution

log = logging.getLogger("cass")

MEASURED_IMAGES = 64
"""Images that are decoded to measure."""
WARM_UP_BATCHES, TIMED_STEPS = 1, 3
"""Steps that are not timed, and that are."""
FORWARD_SHARE = 1 / 3
"""Share of a training step that the forward pass takes: the backward pass is about twice the work."""


@dataclass(frozen=True)
class Forecast:
    """What a pretraining run would take.

    Attributes:
        plan: The data set with its splits, near-duplicates not yet looked for.
        parameters: Parameters of each network.
        batch_size: Images per step.
        steps: Steps of the whole run.
        cautions: What is doubtful about the run.
        image_seconds: Seconds of a training step per image, all branches together.
        decode_seconds: Seconds to decode all images, where they are not cached.
        seconds: Seconds of the training, with the collapse watch.
        memory: Bytes that the process, or the GPU, takes at most.
        cache_bytes: Bytes of the decoded images.
        run_bytes: Bytes of the run folder.
    """

    plan: Plan
    parameters: dict[str, int]
    batch_size: int
    steps: int
    cautions: list[Caution]
    image_seconds: float
    decode_seconds: float
    seconds: float
    memory: int
    cache_bytes: int
    run_bytes: int


def forecast_pretraining(
    config: PretrainConfig,
    manifest: Manifest,
    kind: type[Method],
    names: Sequence[BranchName],
    recipe: ViewRecipe,
) -> Forecast:
    """Decode a few images and take a few steps, in memory, and calculate what the whole run would take.

    Args:
        config: Settings of the run.
        manifest: The data set.
        kind: The method.
        names: The branches to train.
        recipe: The views of an image.

    Raises:
        CassError: The images, the networks or the batch size cannot be used.
    """
    plan = make_plan(manifest, seed=config.seed, announce=False)
    train, val = plan.rows("train"), plan.rows("val")
    store, readable, seconds = _decode_some(config, plan, train)
    most = min(LARGEST if config.batch_size == "auto" else config.batch_size, len(train))
    rows = np.resize(readable, (WARM_UP_BATCHES + TIMED_STEPS) * most)
    with _silent():  # what it says is of the sample
        run = prepare_pretraining(
            config, kind, names, recipe=recipe, store=store, rows=rows, earlier_batch_size=None
        )
    batch = min(run.batch_size, len(train))
    images = StoredImages(store, rows[: (WARM_UP_BATCHES + TIMED_STEPS) * batch])
    clock = time_pretraining(
        run.method, config, images, make_views=run.make_views, batch_size=batch, warm_up=WARM_UP_BATCHES
    )
    image_seconds = clock.seconds / (TIMED_STEPS * batch)
    branches = run.method.branches()
    parameters = {name: sum(value.numel() for value in branch.parameters()) for name, branch in branches.items()}
    watched = 2 * min(len(val), config.watch_images) + 2 * AUGMENTED
    measurements = 2 + config.epochs * min(1.0, len(train) / watched)  # two: the start, and the saved weights
    trained = sum(value.numel() for value in run.method.parameters())
    return Forecast(
        plan=plan,
        parameters=parameters,
        batch_size=batch,
        steps=config.epochs * math.ceil(len(train) / batch),
        cautions=random_start_cautions(config, names, images=len(train), batch_size=batch),
        image_seconds=image_seconds,
        decode_seconds=seconds * len(manifest),
        seconds=(config.epochs * len(train) + measurements * watched * FORWARD_SHARE) * image_seconds,
        memory=peak_memory(torch_device(config)),
        cache_bytes=len(manifest) * config.image_size**2 * config.in_chans * store.array.dtype.itemsize,
        # Weights, the two moments of the optimiser and the averaged weights in the checkpoint; the branches alone.
        run_bytes=4 * (4 * trained + sum(parameters.values())),
    )


def _decode_some(
    config: PretrainConfig, plan: Plan, rows: NDArray[np.int64]
) -> tuple[ImageStore, NDArray[np.int64], float]:
    """Decode a sample of some rows; returns the images, which of them are readable, and the seconds per image."""
    part = plan.manifest.subset(rows[np.linspace(0, len(rows) - 1, min(MEASURED_IMAGES, len(rows))).astype(int)])
    started = time.perf_counter()
    store = decode_images(
        [part.path(row) for row in range(len(part))],
        names=list(part.images),
        image_size=config.image_size,
        in_chans=config.in_chans,
        deep=any_deep(plan.paths()),
    )
    seconds = (time.perf_counter() - started) / len(part)
    check_unreadable(store.unreadable, total=len(part), names=list(part.images))
    return store, np.setdiff1d(np.arange(len(part)), list(store.unreadable)), seconds


@contextmanager
def _silent() -> Iterator[None]:
    before = log.level
    log.setLevel(logging.WARNING)
    try:
        yield
    finally:
        log.setLevel(before)


def forecast_lines(found: Forecast, config: PretrainConfig) -> Iterator[str]:
    """Yield a forecast in lines.

    Args:
        found: The forecast.
        config: Settings of the run.
    """
    counts = found.plan.counts()
    parts = ", ".join(
        f"{name} {entry['images']:,} ({entry['labelled']:,} labelled)" for name, entry in counts.items()
    )
    networks = ", ".join(f"{name} {count / 1e6:.1f} M parameters" for name, count in found.parameters.items())
    yield f"Images: {parts}"
    yield f"Networks: {networks}"
    yield (
        f"Pretraining: {plural(config.epochs, 'epoch')}, {found.steps:,} steps of {found.batch_size} images, "
        f"{1 / found.image_seconds:.0f} images/s: about {duration(found.seconds)}"
    )
    yield f"Decoding, once for all runs on these images: about {duration(found.decode_seconds)}"
    yield from (caution["message"] for caution in found.cautions)
    yield f"Memory: about {found.memory / 2**30:.1f} GiB"
    yield f"Disk: cache {found.cache_bytes / 1e9:.2f} GB, run folder at most {found.run_bytes / 1e9:.2f} GB"
