"""Recipes of augmented views. A recipe is data: what is done, with which chance, how often.

Images arrive resized and in [0, 1]; normalisation belongs to each branch, because two pretrained
backbones may differ in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cass.registry import Registry


@dataclass(frozen=True)
class Step:
    """Operations applied together with one chance, in the order of the fields; 0 leaves one out.

    Attributes:
        chance: Probability in [0, 1].
        brightness: Most relative change of brightness.
        contrast: Most relative change of contrast.
        saturation: Most relative change of saturation; of RGB images only.
        hue: Most turn of the hue, as a share of the colour circle; of RGB images only.
        blur: Greatest standard deviation of a Gaussian blur, as a share of the side.
        crop: Smallest share of the area that a random crop keeps before it is scaled up; 1 keeps all.
        perspective: Most distortion of the corners, as a share of half the side.
        degrees: Most rotation to either side, in degrees.
        flip: Axis to mirror along.
    """

    chance: float
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    blur: float = 0.0
    crop: float = 1.0
    perspective: float = 0.0
    degrees: float = 0.0
    flip: Literal["", "horizontal", "vertical"] = ""


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


def _register(name: str, *steps: Step) -> None:
    RECIPES.register(name)(ViewRecipe(name=name, steps=steps))


_register("none")
# Source: the published CASS code. Its bare ColorJitter(0.2) changes brightness only, which also suits
# grey and multi-channel images; the resize of the recipe is done once, when images are decoded.
_register(
    "paper",
    Step(chance=0.3, brightness=0.2, perspective=0.2),
    Step(chance=0.3, brightness=0.2, degrees=10.0),
    Step(chance=0.3, flip="horizontal"),
    Step(chance=0.3, flip="vertical"),
)
# The presets below keep what tells diagnoses apart in their modality. Radiology: sides of the body and grey
# values mean something, so there are no flips and small changes. Microscopy: there is no up, and stains vary.
# Dermoscopy: there is no up, and colour is a sign of disease, so hue stays.
_register(
    "radiology",
    Step(chance=1.0, crop=0.6),
    Step(chance=0.5, degrees=10.0),
    Step(chance=0.5, brightness=0.2, contrast=0.2),
    Step(chance=0.2, blur=0.01),
)
_register(
    "microscopy",
    Step(chance=1.0, crop=0.4),
    Step(chance=0.5, degrees=180.0),
    Step(chance=0.5, flip="horizontal"),
    Step(chance=0.8, brightness=0.2, contrast=0.2, saturation=0.2, hue=0.05),
    Step(chance=0.2, blur=0.01),
)
_register(
    "dermoscopy",
    Step(chance=1.0, crop=0.4),
    Step(chance=0.5, degrees=180.0),
    Step(chance=0.5, flip="horizontal"),
    Step(chance=0.8, brightness=0.2, contrast=0.2, saturation=0.1),
    Step(chance=0.2, blur=0.01),
)
