from __future__ import annotations

import pytest
import torch

from cass.transforms.views import RECIPES, Step, ViewRecipe, build_views


def test_the_seed_decides_the_view_and_torch_is_left_alone() -> None:
    make = build_views(RECIPES["paper"])
    image = torch.rand(3, 32, 32)
    before = torch.get_rng_state()
    views = {seed: make(image, seed)[0] for seed in range(12)}
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(make(image, seed)[0], view) for seed, view in views.items())
    assert any(not torch.equal(views[0], view) for view in views.values())


@pytest.mark.parametrize("channels", [1, 3, 6])
def test_views_keep_shape_and_range(channels: int) -> None:
    make = build_views(RECIPES["paper"])
    for seed in range(8):
        (view,) = make(torch.rand(channels, 24, 24), seed)
        assert view.shape == (channels, 24, 24)
        assert 0.0 <= float(view.min()) <= float(view.max()) <= 1.0


def test_the_published_chances() -> None:
    image = torch.linspace(0, 1, 16 * 16).reshape(1, 16, 16) * 0.5
    (flip,) = (step for step in RECIPES["paper"].steps if step.flip == "vertical")
    make = build_views(ViewRecipe("flip", (flip,)))
    share = sum(not torch.equal(make(image, seed)[0], image) for seed in range(1000)) / 1000
    assert share == pytest.approx(0.3, abs=0.05)


def test_brightness_changes_by_at_most_a_fifth() -> None:
    make = build_views(ViewRecipe("bright", (Step(chance=1.0, brightness=0.2),)))
    factors = [float(make(torch.full((3, 4, 4), 0.5), seed)[0].mean()) / 0.5 for seed in range(200)]
    assert 0.8 <= min(factors) < 0.85
    assert 1.15 < max(factors) <= 1.2


def test_no_recipe_changes_nothing() -> None:
    image = torch.rand(3, 8, 8)
    assert torch.equal(build_views(RECIPES["none"])(image, 3)[0], image)
