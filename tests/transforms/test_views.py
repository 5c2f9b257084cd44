from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as F

from cass.errors import ConfigError
from cass.seeds import uniform_numbers
from cass.transforms.recipes import RECIPES, Augmentation, ViewKind, ViewRecipe, fit_recipe
from cass.transforms.views import (
    adjust_brightness,
    adjust_contrast,
    adjust_saturation,
    build_views,
    crop_matrix,
    perspective_matrix,
    rotation_matrix,
    warp,
)

BILINEAR = InterpolationMode.BILINEAR


def noise(count: int = 4, *, channels: int = 3, side: int = 48) -> torch.Tensor:
    return torch.rand(count, channels, side, side, generator=torch.Generator().manual_seed(0))


def one(images: torch.Tensor, step: Augmentation) -> torch.Tensor:
    """Apply a step to images."""
    (view,) = build_views(ViewRecipe("one", (ViewKind((step,)),)))(images, 0, range(len(images)))
    return view


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_a_view_depends_on_its_image_number_and_seed_alone(name: str) -> None:
    make, images = build_views(RECIPES[name]), noise(8)
    before = torch.get_rng_state()
    together = make(images, 3, range(8))[0]
    assert torch.equal(torch.get_rng_state(), before)
    for item in (0, 5):
        alone = make(images[item : item + 1], 3, [item])[0]
        torch.testing.assert_close(alone[0], together[item], rtol=0, atol=1e-6)
    if name != "none":
        assert not torch.equal(make(images, 4, range(8))[0], together)
        assert not torch.equal(make(images, 3, range(8, 16))[0], together)


@pytest.mark.parametrize("name", sorted(RECIPES))
@pytest.mark.parametrize("channels", [1, 3, 6])
def test_views_keep_shape_range_and_input(name: str, channels: int) -> None:
    images = noise(16, channels=channels, side=24)
    before = images.clone()
    views = build_views(RECIPES[name], tile=8)(images, 0, range(16))
    sides = [view.shape[-1] for view in views]
    assert len(views) == RECIPES[name].num_views
    assert sides == [24] * (len(views) - RECIPES[name].num_small) + [8] * RECIPES[name].num_small
    for view in views:
        assert view.shape[:2] == images.shape[:2]
        assert 0.0 <= float(view.min()) <= float(view.max()) <= 1.0
    assert torch.equal(images, before)


def test_the_published_chances() -> None:
    images = torch.linspace(0, 1, 16 * 16).reshape(1, 1, 16, 16).repeat(1000, 1, 1, 1) * 0.5
    for step in RECIPES["paper"].kinds[0].augmentations:
        view = one(images, step)
        assert float((view != images).flatten(1).any(dim=1).float().mean()) == pytest.approx(0.3, abs=0.05)


def test_brightness_changes_by_at_most_a_fifth() -> None:
    bright = one(torch.full((200, 3, 4, 4), 0.5), Augmentation(chance=1.0, brightness=0.2))
    factors = bright.mean(dim=(1, 2, 3)) / 0.5
    assert 0.8 <= float(factors.min()) < 0.82
    assert 1.18 < float(factors.max()) <= 1.2


def test_two_views_of_an_image_differ() -> None:
    recipe = fit_recipe(RECIPES["microscopy"], num_views=2, takes_small=False)
    first, second = build_views(recipe)(noise(), 0, range(4))
    assert not torch.equal(first, second)


def test_turning_matches_torchvision_image_by_image() -> None:
    images, degrees = noise(), torch.tensor([7.0, -10.0, 33.0, 170.0])
    turned = warp(images, rotation_matrix(degrees, 48))
    for image, angle, ours in zip(images, degrees, turned, strict=True):
        reference = F.affine(
            image, angle=float(angle), translate=[0, 0], scale=1.0, shear=[0.0, 0.0], interpolation=BILINEAR
        )
        torch.testing.assert_close(ours, reference, rtol=0, atol=1e-4)


def test_perspective_matches_torchvision_image_by_image() -> None:
    images, numbers = noise(), torch.rand(8, 4, generator=torch.Generator().manual_seed(1))
    draws = iter(numbers)
    moved = warp(images, perspective_matrix(0.2, 48, lambda: next(draws)))
    reach, last = int(0.2 * 24) + 1, 47
    assert reach == 5
    for image, drawn, ours in zip(
        images, (numbers * reach).floor().T.int().view(4, 4, 2).tolist(), moved, strict=True
    ):
        (a, b, c, d) = drawn
        ends = [
            [a[0], a[1]],
            [last - b[0], b[1]],
            [last - c[0], last - c[1]],
            [d[0], last - d[1]],
        ]
        starts = [[0, 0], [last, 0], [last, last], [0, last]]
        torch.testing.assert_close(ours, F.perspective(image, starts, ends, BILINEAR), rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("operation", "reference"),
    [
        (adjust_brightness, F.adjust_brightness),
        (adjust_contrast, F.adjust_contrast),
        (adjust_saturation, F.adjust_saturation),
    ],
)
def test_colours_match_torchvision_image_by_image(operation: object, reference: object) -> None:
    images, factors = noise(), torch.tensor([0.8, 1.1, 1.2, 0.9])
    changed = operation(images, factors)  # type: ignore[operator]
    for image, factor, ours in zip(images, factors, changed, strict=True):
        torch.testing.assert_close(ours, reference(image, float(factor)), rtol=0, atol=1e-6)  # type: ignore[operator]


def test_hue_turns_by_at_most_its_share() -> None:
    red = torch.zeros(64, 3, 4, 4)
    red[:, 0] = 1.0
    view = one(red, Augmentation(chance=1.0, hue=0.05))
    strongest = view.amax(dim=(2, 3))
    assert float(strongest[:, 0].min()) == pytest.approx(1.0, abs=1e-5)
    assert 0.2 < float(strongest[:, 1:].max()) <= 6 * 0.05 + 1e-5


def test_a_crop_leaves_a_constant_image_constant() -> None:
    images = torch.full((32, 3, 16, 16), 0.4)
    view = one(images, Augmentation(chance=1.0, crop=0.3))
    torch.testing.assert_close(view, images)


def test_a_small_view_is_the_crop_that_torchvision_scales() -> None:
    images, draws = noise(1, side=64), iter(torch.tensor([[0.5], [0.5], [0.25], [0.75]]))
    matrix = crop_matrix(0.25, 0.25, 64, 32, lambda: next(draws))  # a quarter of the area, square: 32 px
    small = warp(images, matrix, side=32)
    torch.testing.assert_close(small, images[:, :, 24:56, 8:40], rtol=0, atol=1e-4)
    areas = crop_matrix(0.05, 0.4, 64, 32, lambda: torch.rand(500, generator=torch.Generator().manual_seed(0)))
    shares = 0.25 / (areas[:, 0, 0] * areas[:, 1, 1])  # the zoom is 32 / 64 over the crop's share of each side
    assert 0.05 <= float(shares.min()) < 0.06
    assert 0.38 < float(shares.max()) <= 0.4 + 1e-5


def test_grey_and_inverted_images_match_torchvision() -> None:
    images = noise()
    torch.testing.assert_close(
        one(images, Augmentation(chance=1.0, grey=True)), F.rgb_to_grayscale(images, num_output_channels=3)
    )
    inverted = F.solarize(images, threshold=128 / 255)
    torch.testing.assert_close(one(images, Augmentation(chance=1.0, solarize=True)), inverted)


def test_views_that_a_method_cannot_take_are_named() -> None:
    with pytest.raises(ConfigError, match="--views dino makes 8 views per image; the method takes 1"):
        fit_recipe(RECIPES["dino"], num_views=1, takes_small=False)
    with pytest.raises(ConfigError, match="the method takes 2"):
        fit_recipe(RECIPES["swav"], num_views=2, takes_small=False)


def test_random_numbers_are_uniform_and_independent() -> None:
    numbers = uniform_numbers(5, range(20_000), 6)
    assert numbers.min() >= 0.0
    assert numbers.max() < 1.0
    assert np.allclose(numbers.mean(axis=0), 0.5, atol=0.01)
    assert np.allclose(numbers.var(axis=0), 1 / 12, atol=0.002)
    assert abs(np.corrcoef(numbers.T) - np.eye(6)).max() < 0.03
    neighbours = np.corrcoef(numbers[:-1, 0], numbers[1:, 0])[0, 1]
    assert abs(neighbours) < 0.03
    assert (uniform_numbers(6, range(20_000), 6) != numbers).mean() == 1.0
    assert math.isclose(uniform_numbers(5, [7], 3)[0, 2], numbers[7, 2])


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(sorted(RECIPES)),
    st.integers(16, 40),
    st.sampled_from([1, 3, 5]),
    st.integers(1, 5),
    st.integers(0, 2**31),
    st.sampled_from(["noise", "black", "white"]),
)
def test_views_of_any_image_are_images_that_do_not_depend_on_their_neighbours(
    name: str, side: int, channels: int, count: int, seed: int, kind: str
) -> None:
    images = noise(count, channels=channels, side=side)
    images = images if kind == "noise" else torch.full_like(images, float(kind == "white"))
    make = build_views(RECIPES[name], tile=8)
    together = make(images, seed, range(count))
    alone = make(images[-1:], seed, [count - 1])
    for view, own in zip(together, alone, strict=True):
        assert view.shape[:2] == (count, channels)
        assert torch.isfinite(view).all()
        assert view.min() >= -1e-6  # interpolation rounds
        assert view.max() <= 1 + 1e-6
        torch.testing.assert_close(view[-1], own[0], rtol=0, atol=1e-5)
