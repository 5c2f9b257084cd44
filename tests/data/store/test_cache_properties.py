"""Properties of the cache, over random sets of images."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cass.data.formats.identity import image_digests
from cass.data.store.cache import cache_key, cached_images
from cass.data.store.store import decode_images

DIGESTS = st.lists(st.integers(0, 5).map(lambda number: f"{number:032x}"), min_size=1, max_size=6)


@given(DIGESTS, DIGESTS, st.integers(8, 300), st.integers(8, 300), st.integers(1, 4), st.integers(1, 4))
def test_two_sets_share_a_key_only_where_all_is_the_same(
    first: list[str], second: list[str], side: int, other_side: int, channels: int, other_channels: int
) -> None:
    same = (first, side, channels) == (second, other_side, other_channels)
    keys = (
        cache_key(first, image_size=side, in_chans=channels),
        cache_key(second, image_size=other_side, in_chans=other_channels),
    )
    assert (keys[0] == keys[1]) == same
    assert re.fullmatch("[0-9a-f]{32}", keys[0])


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 7), st.integers(8, 24), st.sampled_from([1, 3, 4]), st.booleans(), st.integers(0, 999))
def test_what_comes_from_the_cache_is_what_is_decoded(
    count: int, side: int, channels: int, deep: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as place:
        paths = []
        for number in range(count):
            width, height = (int(value) for value in rng.integers(4, 40, 2))
            pixels = rng.integers(
                0, 65536 if deep else 256, (height, width), dtype=np.uint16 if deep else np.uint8
            )
            paths.append(Path(place) / f"{number}.png")
            Image.fromarray(pixels).save(paths[-1])
        names = [path.name for path in paths]
        plain = decode_images(paths, names=names, image_size=side, in_chans=channels)
        for _ in range(2):  # built, and found again
            store = cached_images(
                paths,
                digests=image_digests(paths),
                image_size=side,
                in_chans=channels,
                folder=Path(place) / "cache",
                required=True,
            )
            assert store is not None
            rows = rng.permutation(count)
            assert np.array_equal(store.pixels(rows), plain.pixels(rows))
            assert store.pixels(rows).dtype == (np.uint16 if deep else np.uint8)
