"""How fast the cache of decoded images is built, beside what the cores can decode."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Sequence
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from PIL import Image

from cass.data.formats.identity import image_digests
from cass.data.store.cache import cached_images
from cass.data.store.store import read_square
from cass.parallel import cores

PHOTOGRAPHS, PHOTOGRAPH_SIDE = 400, 512


def draw_photographs(folder: Path) -> list[Path]:
    """Draw JPEG files as large as scans often are.

    Args:
        folder: Where to.

    Returns:
        400 files of 512 px, the same for every call.
    """
    rng = np.random.default_rng(0)
    paths = [folder / f"{number}.jpg" for number in range(PHOTOGRAPHS)]
    for path in paths:
        coarse = Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8))
        coarse.resize((PHOTOGRAPH_SIDE, PHOTOGRAPH_SIDE), Image.Resampling.BICUBIC).save(path, quality=90)
    return paths


def cache_share(paths: Sequence[Path], *, image_size: int, rounds: int = 3) -> float:
    """Build a cache and merely decode, in turns.

    Args:
        paths: Image files.
        image_size: Side of the square images, in pixels.
        rounds: Turns.

    Returns:
        Speed of building the cache over that of as many processes as there are cores which decode and
        resize and keep nothing; median over the turns.
    """
    digests = image_digests(paths)
    ratios = []
    # Spawned and warmed up before the clock starts.
    with get_context("spawn").Pool(cores(), initializer=_decode, initargs=((paths[0], image_size),)) as pool:
        pool.map(_decode, [(path, image_size) for path in paths[: 4 * cores()]])
        for _ in range(rounds):
            start = time.perf_counter()
            pool.map(_decode, [(path, image_size) for path in paths], chunksize=8)
            decoded = time.perf_counter()
            with tempfile.TemporaryDirectory() as folder:
                again = time.perf_counter()
                cached_images(
                    paths, digests=digests, image_size=image_size, in_chans=3, folder=Path(folder), required=True
                )
                ratios.append((decoded - start) / (time.perf_counter() - again))
    return statistics.median(ratios)


def _decode(job: tuple[Path, int]) -> None:
    read_square(*job)
