"""Drawing smear-like cell images: what an image of the generated set looks like. Nothing here is a patient.

A class is a shape (a lobed or a round nucleus) and a texture (granular or smooth cytoplasm). The granules
are as bright as the smooth texture on average, a lobed nucleus covers as much as a round one, and stain,
light, blur, noise, position and neighbours vary more than either, so neither colour, nor shape alone, nor
texture alone gives the class.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Floats = NDArray[np.float64]
SCALE = 2  # drawn at twice the size, then averaged down, so that edges are soft


@dataclass(frozen=True)
class Stain:
    """How the slides of one patient look.

    Attributes:
        background: Colour (3,) of the empty slide, in [0, 1].
        red_cell: Colour (3,) of red cells.
        cytoplasm: Colour (3,) of the cell's body.
        nucleus: Colour (3,) of the nucleus.
        light: Slope of the illumination along both axes.
        blur: Standard deviation of the blur, in pixels of the image.
        noise: Standard deviation of the noise.
    """

    background: Floats
    red_cell: Floats
    cytoplasm: Floats
    nucleus: Floats
    light: Floats
    blur: float
    noise: float


def draw_stain(site: int, *, rng: np.random.Generator) -> Stain:
    """Draw the stain of a patient.

    Args:
        site: 0 or 1; the two sites differ in hue, contrast and blur.
        rng: Source of randomness.

    Returns:
        The stain.
    """
    base = np.array([[0.92, 0.89, 0.90], [0.88, 0.90, 0.84]])[site]
    purple = np.array([[0.42, 0.24, 0.60], [0.30, 0.26, 0.52]])[site]
    body = np.array([[0.74, 0.66, 0.84], [0.66, 0.70, 0.78]])[site]
    red = np.array([[0.90, 0.66, 0.66], [0.84, 0.70, 0.58]])[site]

    def vary(colour: Floats, amount: float) -> Floats:
        return np.clip(colour + rng.normal(0, amount, 3) + rng.normal(0, amount), 0.05, 0.98)

    return Stain(
        background=vary(base, 0.03),
        red_cell=vary(red, 0.05),
        cytoplasm=vary(body, 0.05),
        nucleus=vary(purple, 0.06),
        light=rng.normal(0, 0.10, 2),
        blur=float(rng.uniform(0.3, 0.5) + 0.15 * site),
        noise=float(rng.uniform(0.01, 0.02)),
    )


def draw_cell(
    *, lobed: bool, granular: bool, stain: Stain, image_size: int, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Draw one image.

    Args:
        lobed: Shape of the nucleus.
        granular: Texture of the cytoplasm.
        stain: The patient's stain.
        image_size: Side, in pixels.
        rng: Source of randomness.

    Returns:
        (image_size, image_size, 3) uint8.
    """
    side = image_size * SCALE
    y, x = np.mgrid[:side, :side] / (side / 64.0)  # in units of a 64-pixel image
    image = np.tile(stain.background, (side, side, 1))
    for _ in range(rng.integers(0, 4)):
        _draw_red_cell(image, x, y, stain=stain, rng=rng)
    centre = 32 + rng.normal(0, 3.0, 2)
    radius = rng.uniform(18, 24)
    body = _blob(x, y, centre, radius, roughness=0.06, rng=rng)
    texture = _texture(side, granular=granular, rng=rng)
    colour = stain.cytoplasm + 0.15 * texture[:, :, None] * np.array([1.0, 0.9, 0.5])
    image = _paint(image, body, colour)
    nucleus = _nucleus(x, y, centre + rng.normal(0, 1.5, 2), 0.62 * radius, lobed=lobed, rng=rng)
    chromatin = _texture(side, granular=False, rng=rng)
    image = _paint(image, nucleus * body, stain.nucleus + 0.08 * chromatin[:, :, None])
    tilt = 1 + stain.light[0] * (y - 32) / 32 + stain.light[1] * (x - 32) / 32
    image = image * (tilt * rng.normal(1.0, 0.05))[:, :, None]
    image = image.reshape(image_size, SCALE, image_size, SCALE, 3).mean(axis=(1, 3))
    image = ndimage.gaussian_filter(image, (stain.blur, stain.blur, 0))
    image = image + rng.normal(0, stain.noise, image.shape)
    pixels: NDArray[np.uint8] = (np.clip(image, 0, 1) * 255).round().astype(np.uint8)
    return pixels


def _paint(image: Floats, mask: Floats, colour: Floats) -> Floats:
    alpha = mask[:, :, None]
    painted: Floats = image * (1 - alpha) + alpha * colour
    return painted


def _edge(distance: Floats) -> Floats:
    """Turn a signed distance (inside is negative) into a soft mask in [0, 1]."""
    mask: Floats = np.clip(0.5 - distance, 0, 1)
    return mask


def _blob(
    x: Floats, y: Floats, centre: Floats, radius: float, *, roughness: float, rng: np.random.Generator
) -> Floats:
    """Draw a disc with a wavy outline and some stretch, as a soft mask."""
    angle, stretch = rng.uniform(0, 2 * np.pi), rng.uniform(0.85, 1.15)
    u = np.cos(angle) * (x - centre[0]) + np.sin(angle) * (y - centre[1])
    v = -np.sin(angle) * (x - centre[0]) + np.cos(angle) * (y - centre[1])
    u, v = u / stretch, v * stretch
    theta = np.arctan2(v, u)
    wave = sum(
        rng.normal(0, roughness / order) * np.cos(order * theta + rng.uniform(0, 6.3)) for order in range(2, 6)
    )
    return _edge(np.hypot(u, v) - radius * (1 + wave))


def _nucleus(
    x: Floats, y: Floats, centre: Floats, radius: float, *, lobed: bool, rng: np.random.Generator
) -> Floats:
    """Draw a nucleus of about π·radius² in one piece, or in two to four lobes along an arc."""
    size = radius * rng.uniform(0.85, 1.15)
    if not lobed:
        return _blob(x, y, centre, size, roughness=0.12, rng=rng)
    lobes = int(rng.integers(2, 5))
    start, turn = rng.uniform(0, 2 * np.pi), rng.uniform(1.1, 1.6)
    lobe = size / np.sqrt(lobes) * 1.05
    mask = np.zeros_like(x)
    for index in range(lobes):
        angle = start + turn * index
        place = centre + 1.0 * size * np.array([np.cos(angle), np.sin(angle)])
        mask = np.maximum(mask, _blob(x, y, place, lobe * rng.uniform(0.85, 1.15), roughness=0.08, rng=rng))
    return mask


def _texture(side: int, *, granular: bool, rng: np.random.Generator) -> Floats:
    """Draw a texture of mean 0 and spread 1: fine grains, or soft clouds."""
    width = (rng.uniform(1.1, 1.5) if granular else rng.uniform(3.5, 5.0)) * SCALE * side / 64.0 / SCALE
    field = ndimage.gaussian_filter(rng.normal(0, 1, (side, side)), width)
    texture: Floats = (field - field.mean()) / field.std()
    return texture


def _draw_red_cell(image: Floats, x: Floats, y: Floats, *, stain: Stain, rng: np.random.Generator) -> None:
    """Draw a neighbour into the image: a disc with a pale middle, mostly away from the centre."""
    angle, away = rng.uniform(0, 2 * np.pi), rng.uniform(20, 38)
    centre = 32 + away * np.array([np.cos(angle), np.sin(angle)])
    radius = rng.uniform(8, 12)
    near = np.abs(np.stack([y[:, 0], x[0]]) - centre[::-1, None]) < 1.5 * radius  # only this window is touched
    window = np.ix_(near[0], near[1])
    x, y = x[window], y[window]
    mask = _blob(x, y, centre, radius, roughness=0.04, rng=rng)
    pallor = 1 - 0.5 * np.exp(-(((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / (0.35 * radius) ** 2))
    image[window] = _paint(image[window], mask * pallor * 0.9, stain.red_cell)
