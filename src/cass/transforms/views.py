"""Augmented views of a batch, computed on its device; the random parameters are drawn for each image."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cass.seeds import derive_seed, uniform_numbers
from cass.transforms.recipes import Augmentation, ViewKind, ViewRecipe

MakeViews = Callable[[Tensor, int, "Sequence[int] | NDArray[np.int64]"], list[Tensor]]
Draw = Callable[[], Tensor]
DRAWS = 20  # upper bound on the random numbers per image that one augmentation draws
_LUMA = (0.2989, 0.587, 0.114)  # ITU-R BT.601, as torchvision rounds it


def build_views(recipe: ViewRecipe, *, tile: int = 1) -> MakeViews:
    """Turn a recipe into a function.

    Args:
        recipe: The recipe.
        tile: What the side of small views is a multiple of, in pixels: the patch size of a Transformer.

    Returns:
        A function of images (B, C, S, S) in [0, 1], a seed and the numbers of the B images that returns
        the recipe's views, each (B, C, V, V) in [0, 1] on the images' device, V being S but for small views.
        A view depends on its image, the image's number and the seed alone, not on the batch or the number of
        workers.
    """
    kinds = [kind for kind in recipe.kinds for _ in range(kind.count)]

    def make(images: Tensor, seed: int, items: Sequence[int] | NDArray[np.int64]) -> list[Tensor]:
        views = []
        for view, kind in enumerate(kinds):
            changed, side = images, view_side(kind, images.shape[-1], tile=tile)
            for position, augmentation in enumerate(kind.augmentations):
                numbers = uniform_numbers(derive_seed(seed, view, position), items, DRAWS)
                changed = _apply(augmentation, changed, numbers, side)
            views.append(changed)
        return views

    return make


def view_side(kind: ViewKind, side: int, *, tile: int) -> int:
    """Return the side of a view, in pixels.

    Args:
        kind: How the view is made.
        side: Side of the images.
        tile: What the side of a small view is a multiple of.
    """
    return side if kind.size == 1 else max(1, round(side * kind.size / tile)) * tile


def _apply(augmentation: Augmentation, images: Tensor, numbers: NDArray[np.float64], side: int) -> Tensor:
    """Apply an augmentation to the images that its chance picks; crops are scaled to ``side`` pixels."""
    picked = np.flatnonzero(numbers[:, 0] < augmentation.chance)
    if not len(picked):
        return images
    columns = iter(torch.from_numpy(numbers[picked, 1:].T.astype(np.float32)).to(images.device))
    if len(picked) == len(images):
        return _operate(augmentation, images, side, lambda: next(columns))
    where = torch.from_numpy(picked).to(images.device)
    return images.index_copy(0, where, _operate(augmentation, images[where], side, lambda: next(columns)))


def _operate(augmentation: Augmentation, images: Tensor, side: int, draw: Draw) -> Tensor:
    """Apply an augmentation to images (B, C, S, S); ``draw`` returns B new numbers in [0, 1)."""
    colour = images.shape[1] == 3
    if augmentation.brightness:
        images = adjust_brightness(images, _around_one(augmentation.brightness, draw))
    if augmentation.contrast:
        images = adjust_contrast(images, _around_one(augmentation.contrast, draw))
    if augmentation.saturation and colour:
        images = adjust_saturation(images, _around_one(augmentation.saturation, draw))
    if augmentation.hue and colour:
        from kornia.enhance import adjust_hue

        images = adjust_hue(images, 2 * math.pi * augmentation.hue * _both_ways(draw)).clamp(0.0, 1.0)
    if augmentation.grey and colour:
        images = _luminance(images).expand_as(images)
    if augmentation.blur:
        from kornia.filters import gaussian_blur2d

        sigma = (augmentation.blur * images.shape[-1] * draw()).clamp(min=0.1)
        width = 2 * math.ceil(2 * augmentation.blur * images.shape[-1]) + 1
        images = gaussian_blur2d(images, width, sigma[:, None].expand(-1, 2)).clamp(0.0, 1.0)
    if augmentation.solarize:
        images = solarize(images)
    if augmentation.crop < 1.0:
        matrix = crop_matrix(augmentation.crop, augmentation.crop_most, images.shape[-1], side, draw)
        images = warp(images, matrix, side=side, outside="border")
    if augmentation.perspective:
        images = warp(images, perspective_matrix(augmentation.perspective, side, draw))
    if augmentation.degrees:
        images = warp(images, rotation_matrix(augmentation.degrees * _both_ways(draw), side))
    if augmentation.flip:
        images = images.flip(-1 if augmentation.flip == "horizontal" else -2)
    return images


def adjust_brightness(images: Tensor, factor: Tensor) -> Tensor:
    """Scale images (B, C, S, S) in [0, 1] by ``factor`` (B,), and clip."""
    return (images * factor.view(-1, 1, 1, 1)).clamp(0.0, 1.0)


def adjust_contrast(images: Tensor, factor: Tensor) -> Tensor:
    """Move images (B, C, S, S) in [0, 1] from their mean grey by ``factor`` (B,), and clip."""
    grey = (_luminance(images) if images.shape[1] == 3 else images).mean(dim=(1, 2, 3), keepdim=True)
    return torch.lerp(grey, images, factor.view(-1, 1, 1, 1)).clamp(0.0, 1.0)


def adjust_saturation(images: Tensor, factor: Tensor) -> Tensor:
    """Move RGB images (B, 3, S, S) in [0, 1] from their luminance by ``factor`` (B,), and clip."""
    return torch.lerp(_luminance(images), images, factor.view(-1, 1, 1, 1)).clamp(0.0, 1.0)


def solarize(images: Tensor) -> Tensor:
    """Invert the values of images in [0, 1] from 128 of 255 on, as Pillow does."""
    return torch.where(images >= 128 / 255, 1.0 - images, images)


def warp(
    images: Tensor, matrix: Tensor, *, side: int | None = None, outside: Literal["zeros", "border"] = "zeros"
) -> Tensor:
    """Move pixels by homographies, bilinear.

    Args:
        images: (B, C, S, S).
        matrix: (B, 3, 3) from old to new positions, in pixels, (0, 0) being the outer corner of the first.
        side: Side V of the output; default: S.
        outside: What lies beyond the picture: black, or its outermost pixels.

    Returns:
        (B, C, V, V).
    """
    from kornia.geometry.transform import warp_perspective

    side = images.shape[-1] if side is None else side
    to_centres = torch.eye(3, device=matrix.device)
    to_centres[:2, 2] = 0.5
    from_centres = torch.eye(3, device=matrix.device)
    from_centres[:2, 2] = -0.5
    # kornia counts from the centre of the first pixel.
    moved: Tensor = warp_perspective(
        images,
        from_centres @ matrix @ to_centres,
        (side, side),
        padding_mode=outside,
        align_corners=True,
    )
    return moved


def crop_matrix(smallest: float, most: float, side: int, scaled: int, draw: Draw) -> Tensor:
    """Draw crops of an area share in [``smallest``, ``most``] and a shape between 3:4 and 4:3.

    Args:
        smallest: Smallest share of the area, in (0, 1).
        most: Greatest share, in (0, 1].
        side: Side S of the images, in pixels.
        scaled: Side that the crops are scaled to, in pixels.
        draw: Function that returns fresh uniform random numbers (B,) in [0, 1) on each call.

    Returns:
        Homographies (B, 3, 3) for :func:`warp`.

    Source:
        Szegedy et al., Going Deeper with Convolutions, CVPR 2015 (section 6).
    """
    area = smallest + (most - smallest) * draw()
    shape = torch.exp(math.log(4 / 3) * _both_ways(draw))
    width, height = (area * shape).sqrt().clamp(max=1.0), (area / shape).sqrt().clamp(max=1.0)
    matrix = torch.zeros(len(area), 3, 3, device=area.device)
    zoom = scaled / side
    matrix[:, 0, 0], matrix[:, 1, 1], matrix[:, 2, 2] = zoom / width, zoom / height, 1.0
    matrix[:, 0, 2] = -scaled * draw() * (1 - width) / width
    matrix[:, 1, 2] = -scaled * draw() * (1 - height) / height
    return matrix


def perspective_matrix(most: float, side: int, draw: Draw) -> Tensor:
    """Draw homographies that move each corner inwards by up to ``most`` of half the side, in whole pixels.

    Args:
        most: Most distortion, in (0, 1].
        side: Side S of the images, in pixels.
        draw: Function that returns fresh uniform random numbers (B,) in [0, 1) on each call.

    Returns:
        Homographies (B, 3, 3) for :func:`warp`.

    Source:
        torchvision's RandomPerspective, whose parameters these are.
    """
    from kornia.geometry.transform import get_perspective_transform

    last = float(side - 1)
    reach = int(most * (side // 2)) + 1
    moved = torch.stack([(draw() * reach).floor() for _ in range(8)], dim=1).view(-1, 4, 2)  # (B, corner, xy)
    corners = torch.tensor([[0.0, 0.0], [last, 0.0], [last, last], [0.0, last]], device=moved.device)
    inwards = torch.tensor([[1.0, 1.0], [-1.0, 1.0], [-1.0, -1.0], [1.0, -1.0]], device=moved.device)
    matrix: Tensor = get_perspective_transform(corners.expand(len(moved), 4, 2), corners + inwards * moved)
    return matrix


def rotation_matrix(degrees: Tensor, side: int) -> Tensor:
    """Turn images about their centre.

    Args:
        degrees: (B,), clockwise.
        side: Side S of the images, in pixels.

    Returns:
        Homographies (B, 3, 3) for :func:`warp`.
    """
    cos, sin, centre = torch.cos(torch.deg2rad(degrees)), torch.sin(torch.deg2rad(degrees)), side / 2
    matrix = torch.zeros(len(degrees), 3, 3, device=degrees.device)
    matrix[:, 0, 0], matrix[:, 0, 1], matrix[:, 0, 2] = cos, -sin, centre - centre * cos + centre * sin
    matrix[:, 1, 0], matrix[:, 1, 1], matrix[:, 1, 2] = sin, cos, centre - centre * sin - centre * cos
    matrix[:, 2, 2] = 1.0
    return matrix


def _luminance(images: Tensor) -> Tensor:
    """Return the luminance (B, 1, S, S) of RGB images (B, 3, S, S)."""
    return (images * images.new_tensor(_LUMA).view(1, 3, 1, 1)).sum(dim=1, keepdim=True)


def _both_ways(draw: Draw) -> Tensor:
    """Draw numbers in [-1, 1)."""
    return 2 * draw() - 1


def _around_one(most: float, draw: Draw) -> Tensor:
    """Draw factors in [1 - most, 1 + most)."""
    return 1 + most * _both_ways(draw)
