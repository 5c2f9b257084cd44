"""``cass benchmark speed``: how fast pretraining is on this machine, beside its limit and other methods."""

from __future__ import annotations

import logging
import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

import numpy as np

from cass.benchmarking.speed.contestants import Timing
from cass.benchmarking.speed.decoding import cache_share, draw_photographs
from cass.benchmarking.speed.speed_table import SpeedRow, ratios_table, speed_table
from cass.benchmarking.speed.worker import Kind, Worker
from cass.config.speed import SpeedConfig
from cass.data.manifest.manifest import load_manifest
from cass.data.store.store import decode_images
from cass.errors import DataError
from cass.files import write_json
from cass.hardware import accelerator, precision
from cass.models.backbones import BackboneSpec
from cass.reports.tables import Cells
from cass.resolve.speed import resolve_speed
from cass.runs.folder import environment
from cass.types import BRANCHES, BranchName

log = logging.getLogger("cass")

Lane: TypeAlias = "tuple[Kind, BranchName | None]"
PAIRED: tuple[Kind, ...] = ("cass", "bare", "published")
ONE_BRANCH: tuple[Kind, ...] = ("dino", "simsiam", "byol")
NAMES = {
    "cass": "cass pretraining",
    "bare": "bare networks (the limit)",
    "published": "published loop",
    "dino": "lightly DINO",
    "simsiam": "lightly SimSiam",
    "byol": "lightly BYOL",
}
MOST_FILES = 256
SETTLE = 2.0  # seconds in which a contestant's loader processes fill their queues and fall silent
WARM_UP_STEPS = 2  # with the second step all of the optimiser is in memory


@dataclass(frozen=True)
class SpeedResult:
    """A finished benchmark.

    Attributes:
        rows: One a contestant.
        ratios: ``of_bare_limit``, ``over_published_loop``, ``time_of_dino``, ``data_wait_share``,
            ``memory_of_bare_limit``, ``cache_build_of_decoding`` and the like; medians over the rounds.
        conditions: Hardware, versions, settings.
    """

    rows: list[SpeedRow]
    ratios: dict[str, float]
    conditions: dict[str, Any]


def run_benchmark_speed(config: SpeedConfig, resolved: list[BackboneSpec] | None = None) -> SpeedResult:
    """Measure the speed of pretraining beside its limit and other methods.

    Args:
        config: Settings of ``cass benchmark speed``.
        resolved: What :func:`resolve_speed` returned; None calls it.

    Returns:
        The times, their ratios, and the conditions of the measurement.

    Raises:
        CassError: The output exists, or the data set has too few images.
    """
    if resolved is None:
        resolve_speed(config)
    manifest = load_manifest(config.data)
    paths = [manifest.path(row) for row in range(min(len(manifest), MOST_FILES))]
    if len(paths) < 2 * config.batch_size:
        raise DataError(f"{config.data} has {len(paths)} images", f"Give at least {2 * config.batch_size}.")
    lanes: list[Lane] = [(kind, None) for kind in PAIRED]
    lanes += [(kind, branch) for kind in ONE_BRANCH for branch in BRANCHES]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        names = [path.name for path in paths]
        images = decode_images(paths, names=names, image_size=config.image_size, in_chans=3)
        workers: dict[Lane, Worker] = {}
        memory: dict[Lane, int] = {}
        for lane in lanes:
            log.info("Building %s.", _lane_name(lane))
            workers[lane] = Worker(lane[0], config, paths=paths, images=images, branch=lane[1])
            stack.callback(workers[lane].close)
            workers[lane].run(WARM_UP_STEPS)
            memory[lane] = workers[lane].peak_memory()  # as of one run; cass starts one a round
        timings: dict[Lane, list[Timing]] = {lane: [] for lane in lanes}
        for turn in range(config.rounds):
            for lane in lanes:
                steps = config.steps if lane[0] in PAIRED else max(1, config.steps // 3)
                timings[lane].append(workers[lane].run(steps))
                time.sleep(0 if lane[0] in PAIRED[:2] else SETTLE)
            log.info(
                "Round %d of %d: cass %.1f images/s.", turn + 1, config.rounds, _rate(timings["cass", None][-1])
            )
        log.info("Building a cache of decoded images.")
        photographs = draw_photographs(folder)
        facts = workers["bare", None].facts | {"cache_build": cache_share(photographs, image_size=224)}
    result = _judge(config, timings, memory, facts, images=len(manifest))
    if config.json_file is not None:
        write_json(config.json_file, asdict(result))
    return result


def show(result: SpeedResult, config: SpeedConfig) -> Iterator[str | Cells]:
    """Yield what the command prints."""
    yield speed_table(result.rows, result.conditions)
    yield ratios_table(result.ratios)
    if config.json_file is not None:
        yield f"Wrote {config.json_file}"


def _lane_name(lane: Lane) -> str:
    kind, branch = lane
    return NAMES[kind] if branch is None else f"{NAMES[kind]}, {branch}"


def _rate(timing: Timing) -> float:
    return timing.images / timing.seconds


def _judge(
    config: SpeedConfig,
    timings: dict[Lane, list[Timing]],
    memory: dict[Lane, int],
    facts: dict[str, Any],
    *,
    images: int,
) -> SpeedResult:
    """Turn timings into the table and the ratios, round by round."""
    per_image: dict[Kind, np.ndarray[Any, Any]] = {}
    wait: dict[Kind, float] = {}
    peak: dict[Kind, int] = {}
    for kind in (*PAIRED, *ONE_BRANCH):
        lanes = [lane for lane in timings if lane[0] == kind]
        per_image[kind] = np.sum([[1 / _rate(timing) for timing in timings[lane]] for lane in lanes], axis=0)
        waited = np.sum([[timing.waited / timing.images for timing in timings[lane]] for lane in lanes], axis=0)
        wait[kind] = float(np.median(waited / per_image[kind]))
        peak[kind] = max(memory[lane] for lane in lanes)
    rate = matrix_rate(config)
    flops = facts["flops"] / config.batch_size
    rows = [
        SpeedRow(
            name=NAMES[kind],
            images_per_second=float(1 / np.median(seconds)),
            epoch_seconds=float(images * np.median(seconds)),
            data_wait_share=wait[kind],
            peak_memory=peak[kind],
            matrix_rate_share=flops / float(np.median(seconds)) / rate
            if rate and kind in ("cass", "bare")
            else None,
        )
        for kind, seconds in per_image.items()
    ]
    ratios = {
        "of_bare_limit": float(np.median(per_image["bare"] / per_image["cass"])),
        "over_published_loop": float(np.median(per_image["published"] / per_image["cass"])),
        "time_of_dino": float(np.median(per_image["cass"] / per_image["dino"])),
        "time_of_simsiam": float(np.median(per_image["cass"] / per_image["simsiam"])),
        "time_of_byol": float(np.median(per_image["cass"] / per_image["byol"])),
        "data_wait_share": wait["cass"],
        "memory_of_bare_limit": peak["cass"] / peak["bare"],
        "cache_build_of_decoding": facts["cache_build"],
    }
    settings = config.model_dump(mode="json", exclude={"json_file"})
    conditions = {"settings": settings, "environment": environment(), "memory_formats": facts["formats"]}
    conditions |= {"precision": str(precision_name(config)), "images_an_epoch": images, "matrix_rate": rate}
    return SpeedResult(rows, ratios, conditions)


def precision_name(config: SpeedConfig) -> str:
    """Name the arithmetic that the settings mean on this machine."""
    return "bf16 autocast" if precision(config) == "bf16-mixed" else "32-bit floats"


def matrix_rate(config: SpeedConfig) -> float | None:
    """Measure the rate that a GPU multiplies large bf16 matrices at, in operations a second; None on a CPU."""
    import torch

    if accelerator(config.device) != "cuda":
        return None
    side, rounds = 8192, 20
    a, b = (torch.randn(side, side, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    seconds = []
    for _ in range(rounds):
        torch.cuda.synchronize()
        start = time.perf_counter()
        a @ b
        torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    return 2 * side**3 / statistics.median(seconds[5:])
