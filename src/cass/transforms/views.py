"""Recipes of augmented views. A recipe is data: what is done, with which chance, how often.

Images arrive resized and in [0, 1]; normalisation belongs to each branch, because two pretrained
backbones may differ in it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torchvision.transforms import InterpolationMode, v2

from cass.registry import Registry


@dataclass(frozen=True)
class Step:
    """Operations applied together with one chance.

    Attributes:
        chance: Probability in [0, 1].
        brightness: Most relative change of brightness.
        perspective: Most distortion of the corners, as a share of half the side.
        degrees: Most rotation to either side, in degrees.
        flip: Axis to mirror along, ``horizontal``, ``vertical`` or empty.
    """

    chance: float
    brightness: float = 0.0
    perspective: float = 0.0
    degrees: float = 0.0
    flip: str = ""


@dataclass(frozen=True)
class ViewRecipe:
    """How the views of an image are made.

    Attributes:
        name: Name of the recipe.
        steps: What is done, in order.
        views: Number of views an image.
    """

    name: str
    steps: tuple[Step, ...]
    views: int = 1


RECIPES: Registry[ViewRecipe] = Registry("view recipe")
RECIPES.register("none")(ViewRecipe(name="none", steps=()))
# Source: the published CASS code. Its bare ColorJitter(0.2) changes brightness only, which also suits
# grey and multi-channel images; the resize of the recipe is done once, when images are decoded.
RECIPES.register("paper")(
    ViewRecipe(
        name="paper",
        steps=(
            Step(chance=0.3, brightness=0.2, perspective=0.2),
            Step(chance=0.3, brightness=0.2, degrees=10.0),
            Step(chance=0.3, flip="horizontal"),
            Step(chance=0.3, flip="vertical"),
        ),
    )
)


def build_views(recipe: ViewRecipe) -> Callable[[Tensor, int], list[Tensor]]:
    """Turn a recipe into a function.

    Args:
        recipe: The recipe.

    Returns:
        A function of an image (C, S, S) in [0, 1] and a seed that returns the recipe's views, each
        (C, S, S) in [0, 1]. The same image and seed give the same views; torch's own random numbers
        are left alone.
    """
    steps = [(step.chance, _operations(step)) for step in recipe.steps]

    def make(image: Tensor, seed: int) -> list[Tensor]:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return [_apply(steps, image) for _ in range(recipe.views)]

    return make


def _apply(steps: list[tuple[float, list[torch.nn.Module]]], image: Tensor) -> Tensor:
    for chance, operations in steps:
        if torch.rand(()) < chance:
            for operation in operations:
                image = operation(image)
    return image


def _operations(step: Step) -> list[torch.nn.Module]:
    bilinear = InterpolationMode.BILINEAR
    operations: list[torch.nn.Module] = []
    if step.brightness:
        operations.append(_Brightness(step.brightness))
    if step.perspective:
        operations.append(v2.RandomPerspective(step.perspective, p=1.0, interpolation=bilinear))
    if step.degrees:
        operations.append(v2.RandomAffine(degrees=step.degrees, interpolation=bilinear))
    if step.flip:
        operations.append(
            v2.RandomHorizontalFlip(1.0) if step.flip == "horizontal" else v2.RandomVerticalFlip(1.0)
        )
    return operations


class _Brightness(torch.nn.Module):
    """Scale brightness for any number of channels; torchvision's own jitter takes one or three."""

    def __init__(self, most: float) -> None:
        super().__init__()
        self.most = most

    def forward(self, image: Tensor) -> Tensor:
        factor = 1.0 + self.most * (2.0 * torch.rand(()) - 1.0)
        return (image * factor).clamp(0.0, 1.0)
