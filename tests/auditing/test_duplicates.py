from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageEnhance
from scipy import ndimage

from cass.auditing.duplicates import copies, families, members, near_pairs, similar_pairs
from cass.auditing.facts import facts_of_set
from cass.data.manifest.manifest import Manifest, load_manifest


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """Thirty pictures; of the first also a smaller, a brighter, a cropped, a recompressed and an exact copy."""
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for number in range(30):
        blob(rng).save(folder / f"{number:02d}.png")
    first = Image.open(folder / "00.png")
    first.resize((64, 64)).save(folder / "30.png")
    ImageEnhance.Brightness(first).enhance(1.2).save(folder / "31.png")
    first.crop((0, 5, 90, 96)).save(folder / "32.png")
    first.save(folder / "33.jpg", quality=60)
    (folder / "34.png").write_bytes((folder / "00.png").read_bytes())
    (folder / "35.png").write_bytes(b"no picture")
    for number in (36, 37):  # constant images show nothing that could be a copy
        Image.new("L", (50, 50 + number), 90).save(folder / f"{number}.png")
    return load_manifest(str(folder))


def blob(rng: np.random.Generator) -> Image.Image:
    """Draw a disc that all pictures share, with a texture of its own."""
    field = ndimage.gaussian_filter(rng.normal(size=(96, 96)), 3)
    y, x = np.mgrid[:96, :96]
    inside = (y - 48) ** 2 + (x - 48) ** 2 < 40**2
    return Image.fromarray(np.where(inside, 120 + 300 * field, 20).clip(0, 255).astype(np.uint8))


def test_changed_copies_are_found_and_nothing_else(manifest: Manifest) -> None:
    pairs = near_pairs(manifest, facts_of_set(manifest))
    assert (pairs[:, 0] < pairs[:, 1]).all()
    found = [rows.tolist() for rows in members(families(pairs, count=len(manifest)))]
    assert found == [[0, 30, 31, 32, 33, 34]]


def test_two_images_are_enough_for_a_pair(tmp_path: Path) -> None:
    picture = blob(np.random.default_rng(3))
    picture.save(tmp_path / "a.png")
    picture.resize((70, 70)).save(tmp_path / "b.png")
    manifest = load_manifest(str(tmp_path))
    assert near_pairs(manifest, facts_of_set(manifest)).tolist() == [[0, 1]]


def test_similar_to_every_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cass.auditing.duplicates.PAIRS", 2)
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
