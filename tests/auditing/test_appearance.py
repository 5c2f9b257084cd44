from __future__ import annotations

import numpy as np
from scipy import ndimage

from cass.auditing import appearance
from cass.auditing.appearance import CROPS, candidate_pairs


def textures(count: int) -> np.ndarray:
    """Thumbnails that share a bright disc and have a texture of their own."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:32, :32]
    disc = 100.0 * ((y - 16) ** 2 + (x - 16) ** 2 < 14**2)
    fields = np.stack([ndimage.gaussian_filter(rng.normal(size=(32, 32)), 1.5) for _ in range(count)])
    return (60 + disc + 150 * fields).clip(0, 255).astype(np.uint8)


def test_shared_shapes_make_no_candidates() -> None:
    pictures = textures(300)
    correlated = np.corrcoef(pictures.reshape(300, -1).astype(float))[np.triu_indices(300, 1)]
    assert np.median(correlated) > 0.7  # the disc alone
    assert len(candidate_pairs(pictures).copy) == 0


def test_a_crop_is_found_with_the_part_that_it_shows() -> None:
    pictures = textures(300)
    box = CROPS[-1]
    large = np.kron(pictures[7], np.ones((25, 25)))  # 800 pixels: the box falls on whole ones
    top, bottom, left, right = (round(800 * edge) for edge in (box.top, box.bottom, box.left, box.right))
    part = ndimage.zoom(large[top:bottom, left:right], (32 / (bottom - top), 32 / (right - left)), order=1)
    pictures[200] = part.clip(0, 255)
    found = candidate_pairs(pictures)
    assert (found.original[0], found.copy[0], found.crop[0]) == (7, 200, len(CROPS) - 1)


def test_each_image_keeps_its_nearest_only(monkeypatch) -> None:
    monkeypatch.setattr(appearance, "NEAREST", 3)
    monkeypatch.setattr(appearance, "BLOCK", 7)
    pictures = textures(60)
    noise = np.random.default_rng(1).integers(-3, 4, (20, 32, 32))
    pictures[:20] = (pictures[0].astype(int) + noise).clip(0, 255)
    found = candidate_pairs(pictures)
    pairs = {tuple(sorted(pair)) for pair in zip(found.original.tolist(), found.copy.tolist(), strict=True)}
    assert len(pairs) == len(found.copy)  # each pair once
    assert set().union(*pairs) == set(range(20))
    assert len(pairs) < 20 * 19 / 2


def test_few_images() -> None:
    assert len(candidate_pairs(textures(1)).copy) == 0
    same = textures(1).repeat(2, axis=0)
    assert len(candidate_pairs(same).copy) == 1
