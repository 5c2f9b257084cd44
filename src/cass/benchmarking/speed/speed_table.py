"""The tables of ``cass benchmark speed``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cass.reports.tables import Cells

# Ratio -> what it says, target, and whether more is better.
RATIOS = {
    "of_bare_limit": ("speed beside the bare networks", 0.90, True),
    "over_published_loop": ("times as fast as the published loop", 3.0, True),
    "time_of_dino": ("time beside DINO, both branches", 0.31, False),
    "time_of_simsiam": ("time beside SimSiam, both branches", None, False),
    "time_of_byol": ("time beside BYOL, both branches", None, False),
    "data_wait_share": ("share of the time spent waiting for data", 0.03, False),
    "memory_of_bare_limit": ("peak memory beside the bare networks", 1.1, False),
    "cache_build_of_decoding": ("building the cache beside mere decoding (512 px JPEGs)", 0.9, True),
}


@dataclass(frozen=True)
class SpeedRow:
    """What was measured of one contestant; both branches are trained, together or one after the other.

    Attributes:
        name: Contestant.
        images_per_second: Images passed through both branches a second, median over rounds.
        epoch_seconds: Seconds for one pass over the images.
        data_wait_share: Share of the time spent waiting for data, median over rounds.
        peak_memory: Most memory in bytes: of a GPU, else of the process; of the larger branch where they
            are trained one after the other.
        matrix_rate_share: On a GPU, share of the rate that it multiplies large bf16 matrices at.
    """

    name: str
    images_per_second: float
    epoch_seconds: float
    data_wait_share: float
    peak_memory: int
    matrix_rate_share: float | None


def speed_table(rows: Sequence[SpeedRow], conditions: Mapping[str, Any]) -> Cells:
    """Lay out what was measured, a row a contestant.

    Args:
        rows: The contestants.
        conditions: ``precision``, ``images_an_epoch`` and ``settings``.

    Returns:
        The table.
    """
    settings = conditions["settings"]
    title = (
        f"{settings['cnn']} + {settings['transformer']}, {settings['image_size']} px, batch "
        f"{settings['batch_size']}, {conditions['precision']}; an epoch: {conditions['images_an_epoch']:,} images"
    )
    head = ["", "images/s", "epoch, both branches", "waits for data", "peak memory"]
    gpu = any(row.matrix_rate_share is not None for row in rows)
    cells = []
    for row in rows:
        line = [row.name, f"{row.images_per_second:.1f}", _duration(row.epoch_seconds)]
        line += [f"{row.data_wait_share:.1%}", f"{row.peak_memory / 2**30:.2f} GiB"]
        if gpu:
            line.append("-" if row.matrix_rate_share is None else f"{row.matrix_rate_share:.0%}")
        cells.append(line)
    return Cells(title, [*head, "of the bf16 matrix rate"] if gpu else head, cells)


def ratios_table(ratios: Mapping[str, float]) -> Cells:
    """Lay out the ratios beside their targets.

    Args:
        ratios: By name, as in ``ratios`` of the JSON file.

    Returns:
        The table.
    """
    rows = []
    for name, (meaning, target, more) in RATIOS.items():
        aim = "-" if target is None else f"{'at least' if more else 'at most'} {target:g}"
        met = "-" if target is None else "met" if (ratios[name] >= target) == more else "missed"
        rows.append([meaning, f"{ratios[name]:.3f}", aim, met])
    return Cells("Ratios of the same rounds (medians)", ["cass", "measured", "target", ""], rows)


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.1f} min"
