from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageEnhance
from scipy import ndimage

from cass.auditing.duplicates import CORRELATION, DISTANCE, copies, families, members, near_pairs, similar_pairs
from cass.auditing.facts import ImageFacts, gather_facts


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> ImageFacts:
    """Six different pictures; of the first a smaller, a brighter and a recompressed copy."""
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    pictures = []
    for _ in range(6):
        field = ndimage.gaussian_filter(rng.normal(size=(96, 96)), 8)
        field = (field - field.min()) / (field.max() - field.min())
        pictures.append(Image.fromarray((200 * field).astype(np.uint8)))
    first = pictures[0]
    pictures += [first.resize((64, 64)), ImageEnhance.Brightness(first).enhance(1.2)]
    paths: list[Path] = []
    for number, picture in enumerate(pictures):
        paths.append(folder / f"{number}.png")
        picture.save(paths[-1])
    first.save(folder / "8.jpg", quality=60)
    return gather_facts([*paths, folder / "8.jpg"])


def test_changed_copies_are_found_and_nothing_else(facts: ImageFacts) -> None:
    pairs = near_pairs(facts)
    assert {tuple(pair) for pair in pairs.tolist()} == {(0, 6), (0, 7), (0, 8), (6, 7), (6, 8), (7, 8)}
    codes = families(pairs, count=9)
    assert [rows.tolist() for rows in members(codes)] == [[0, 6, 7, 8]]


def test_pairs_are_those_of_a_plain_loop() -> None:
    rng = np.random.default_rng(1)
    count = 300
    base = rng.integers(0, 2**63, 40, dtype=np.uint64)
    hashes = base[rng.integers(0, 40, count)] ^ (np.uint64(1) << rng.integers(0, 64, count).astype(np.uint64))
    thumbnails = rng.integers(0, 256, (12, 256))[rng.integers(0, 12, count)] + rng.integers(0, 20, (count, 256))
    empty = gather_facts([])
    made = replace(
        empty,
        digests=[""] * count,
        errors={7: "gone"},
        constant=np.arange(count) == 9,
        hashes=hashes,
        thumbnails=thumbnails.clip(0, 255).astype(np.uint8),
    )
    usable = [row for row in range(count) if row not in (7, 9)]
    expected = {
        (a, b)
        for a in usable
        for b in usable
        if a < b
        and int(hashes[a] ^ hashes[b]).bit_count() <= DISTANCE
        and np.corrcoef(made.thumbnails[a], made.thumbnails[b])[0, 1] >= CORRELATION
    }
    assert expected
    assert {tuple(pair) for pair in near_pairs(made).tolist()} == expected


def test_similar_to_every_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cass.auditing.duplicates.BLOCK", 7)
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(40, 8)), rng.normal(size=(40, 5))
    for a, b in ((3, 30), (30, 31)):
        first[b] = first[a] + 0.01
        second[b] = second[a] - 0.01
    first[9] = first[8]  # alike to one of them alone
    pairs = {tuple(pair) for pair in similar_pairs([first, second], least=0.97).tolist()}
    assert pairs == {(3, 30), (3, 31), (30, 31)}
    assert (8, 9) in {tuple(pair) for pair in similar_pairs([first], least=0.97).tolist()}


def test_copies_are_sets_of_equal_digests() -> None:
    assert [rows.tolist() for rows in copies(["a", "b", "", "a", "", "a"])] == [[0, 3, 5]]


@given(st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=20))
def test_families_are_closed_under_pairs(pairs: list[tuple[int, int]]) -> None:
    codes = families(np.array(pairs, dtype=np.int64).reshape(-1, 2), count=12)
    assert all(codes[a] == codes[b] for a, b in pairs)
    joined = {row for pair in pairs for row in pair if pair[0] != pair[1]}
    assert {int(row) for rows in members(codes) for row in rows} == joined
