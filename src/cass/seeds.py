"""Seeds derived from seeds, so that every random choice depends on what it is for and nothing else. Layer 0."""

from __future__ import annotations

import zlib

import numpy as np


def derive_seed(*parts: int | str) -> int:
    """Derive a seed from a run's seed and what the randomness is for.

    Args:
        parts: Integers (a seed, an epoch, an index; 0 or more) and words.

    Returns:
        An integer in [0, 2**32) that is the same for the same parts on every machine.
    """
    numbers = [part if isinstance(part, int) else zlib.crc32(part.encode()) for part in parts]
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])
