from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageEnhance
from scipy import ndimage

from cass.auditing.appearance import CROPS, WHOLE, Box
from cass.auditing.registration import agreement


def texture(seed: int) -> Image.Image:
    field = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(128, 160)), 4)
    return Image.fromarray((128 + 500 * field).clip(0, 255).astype(np.uint8))


def test_copies_agree() -> None:
    picture = texture(0)
    assert agreement(picture, picture, WHOLE) == pytest.approx(1)
    assert agreement(picture, picture.resize((90, 70)), WHOLE) > 0.99
    assert agreement(picture, ImageEnhance.Brightness(picture).enhance(1.6), WHOLE) > 0.95  # much is white


@pytest.mark.parametrize("box", [Box(0, 0.07, 0.95, 1), Box(0.04, 0.03, 0.98, 0.97)])
def test_a_crop_is_aligned(box: Box) -> None:
    picture = texture(1)
    width, height = picture.size
    edges = (box.left * width, box.top * height, box.right * width, box.bottom * height)
    part = picture.crop(tuple(round(edge) for edge in edges))
    nearest = min(CROPS, key=lambda crop: np.abs(np.subtract(crop, box)).sum())
    assert agreement(picture, part, nearest) > 0.97


def test_others_do_not_agree() -> None:
    assert max(agreement(texture(0), texture(seed), WHOLE) for seed in range(1, 6)) < 0.5
