"""Seeds derived from seeds, so that every random choice depends on what it is for and nothing else. Layer 0."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_STEP = np.uint64(0x9E3779B97F4A7C15)


def derive_seed(*parts: int | str) -> int:
    """Derive a seed from a run's seed and what the randomness is for.

    Args:
        parts: Integers (a seed, an epoch, an index; 0 or more) and words.

    Returns:
        An integer in [0, 2**32) that is the same for the same parts on every machine.
    """
    numbers = [part if isinstance(part, int) else zlib.crc32(part.encode()) for part in parts]
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])


def uniform_numbers(seed: int, items: Sequence[int] | NDArray[np.int64], count: int) -> NDArray[np.float64]:
    """Draw numbers for each of some items, each item's from its own number and the seed alone.

    Args:
        seed: What the randomness is for, in [0, 2**32).
        items: B whole numbers, 0 or more, such as the rows of images.
        count: Numbers an item.

    Returns:
        (B, count) in [0, 1). Row b is the same in whatever batch item b comes.

    Source:
        Steele, Lea & Flood, Fast Splittable Pseudorandom Number Generators, OOPSLA 2014 (SplitMix64).
    """
    with np.errstate(over="ignore"):
        start = _mix(np.asarray(items, dtype=np.uint64) + _mix(np.array([seed], dtype=np.uint64) + _STEP))
        bits = _mix(start[:, None] + _STEP * np.arange(1, count + 1, dtype=np.uint64))
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _mix(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Scramble 64-bit numbers one to one."""
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: NDArray[np.uint64] = bits ^ (bits >> np.uint64(31))
    return mixed
