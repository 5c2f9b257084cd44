"""Near-duplicates of a set, found once for audit, split and training, and kept in the user's cache."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Sequence
from contextlib import suppress

import numpy as np

from cass.auditing.duplicates import AGREEMENT, Ints, families, near_pairs
from cass.auditing.facts import ImageFacts, facts_of_set
from cass.data.manifest.manifest import Manifest
from cass.files import cache_folder, write_text

log = logging.getLogger("cass")

SEARCH_VERSION = 1
"""Raised where the search finds other pairs than before."""


def kept_pairs(manifest: Manifest, digests: Sequence[str], facts: ImageFacts | None = None) -> Ints:
    """Find near-duplicates, or take them from the cache, which holds row numbers alone.

    Args:
        manifest: N images.
        digests: Their N content digests.
        facts: Their facts; None gathers them where they are needed.

    Returns:
        (P, 2) rows, as of :func:`near_pairs`.

    Raises:
        DataError: Not one file can be read.
    """
    key = hashlib.blake2b(f"{SEARCH_VERSION} {AGREEMENT} {' '.join(digests)}".encode(), digest_size=16).hexdigest()
    path = cache_folder() / "near-duplicates" / f"{key}.json"
    if path.is_file():
        return np.array(json.loads(path.read_text(encoding="utf-8")), dtype=np.int64).reshape(-1, 2)
    pairs = near_pairs(manifest, facts_of_set(manifest) if facts is None else facts)
    with suppress(OSError):  # a cache that cannot be written is no reason to stop
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(pairs.tolist()))
    return pairs


def near_families(manifest: Manifest, digests: Sequence[str]) -> Ints:
    """Find the families of near-duplicates of a set that is to be split.

    Args:
        manifest: N images.
        digests: Their N content digests.

    Returns:
        (N,) family numbers; an image without a near-duplicate, or that cannot be read, is alone in its own.

    Raises:
        DataError: Not one file can be read.
    """
    if manifest.generated:  # each image is drawn on its own
        return np.arange(len(manifest), dtype=np.int64)
    found = families(kept_pairs(manifest, digests), count=len(manifest))
    if joined := len(manifest) - len(np.unique(found)):
        log.info("%d near-duplicates are kept in the same split as the image that they resemble.", joined)
    return found
