"""Whether two images show the same: one is aligned with the other, then their fine structure is compared."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

from cass.auditing.appearance import WHOLE, Box

GRID = 64
"""Width and height at which two images are compared."""
ALIGNMENT_STEPS = 8
FINE, COARSE = 1.0, 3.0
"""Standard deviations, in pixels of the grid, between which structure counts."""
NOISE = 0.1
"""Local contrast, as a share of the image's own, below which structure counts less."""
EDGE = 2
"""Pixels at the edge of the grid that do not count."""
DARKEST, LIGHTEST = 3, 252
"""Grey levels beyond which a pixel counts as saturated: brightening may have cut its structure off."""
LEAST_COUNTED = 0.1
"""Share of unsaturated pixels below which saturated ones count, too."""
LONGEST_STEP = 0.05
"""Most that an edge of the box moves in one iteration, as a share of its width or height."""

Singles = NDArray[np.float32]


def agreement(original: Image.Image, copy: Image.Image, box: Box) -> float:
    """Tell how far an image is a copy of another: scaled, recompressed, brightened, or slightly cropped.

    Args:
        original: A grey image of 8 bits.
        copy: Another one.
        box: Where in the original the copy is looked for first.

    Returns:
        Correlation in [-1, 1] of the local structure of both images after alignment: about 1 for copies.
    """
    whole = _sampled(copy, WHOLE)
    aligned = _sampled(original, _aligned(original, whole, box))
    inner = (slice(EDGE, -EDGE),) * 2
    counted = (_unsaturated(aligned) & _unsaturated(whole))[inner]
    if counted.mean() < LEAST_COUNTED:
        counted[:] = True
    return _correlation(_structure(aligned)[inner][counted], _structure(whole)[inner][counted])


def _aligned(original: Image.Image, target: Singles, box: Box) -> Box:
    """Refine a box so that the original inside it resembles the target most.

    Source:
        Lucas & Kanade, An Iterative Image Registration Technique, IJCAI 1981, for the four edges of a box, with
        a gain and an offset of the intensities.
    """
    across = np.broadcast_to((np.arange(GRID, dtype=np.float32) + 0.5) / GRID, (GRID, GRID))
    down = across.T
    target = _standardized(gaussian_filter(target, 1))
    best, found = -2.0, box
    for _ in range(ALIGNMENT_STEPS):
        now = _standardized(gaussian_filter(_sampled(original, box), 1))
        score = float((now * target).mean())
        if score < best - 1e-4:
            break
        if score > best:
            best, found = score, box
        by_row, by_column = np.gradient(now)
        moves = (by_column * (1 - across), by_row * (1 - down), by_column * across, by_row * down)
        columns = np.stack([*(move.ravel() * GRID for move in moves), np.ones(now.size), now.ravel()], axis=1)
        solved = np.linalg.lstsq(columns, (target - now).ravel(), rcond=None)[0][:4]
        step = solved.clip(-LONGEST_STEP, LONGEST_STEP)
        width, height = box.right - box.left, box.bottom - box.top
        sides = np.array(box) + step * np.array([width, height, width, height])
        moved = Box(*sides.clip(0, 1).tolist())
        if moved.right - moved.left < 0.5 or moved.bottom - moved.top < 0.5 or np.abs(step).max() < 5e-4:
            break
        box = moved
    return found


def _sampled(picture: Image.Image, box: Box) -> Singles:
    """Resample a part of an image to the grid, without aliasing."""
    width, height = picture.size
    edges = (box.left * width, box.top * height, box.right * width, box.bottom * height)
    return np.asarray(picture.resize((GRID, GRID), Image.Resampling.BILINEAR, box=edges), dtype=np.float32)


def _structure(values: Singles) -> Singles:
    """Filter an image to structure of middle size, at equal contrast everywhere."""
    even = _standardized(values)
    band = gaussian_filter(even, FINE) - gaussian_filter(even, COARSE)
    contrast = np.sqrt(gaussian_filter(band * band, 1.5 * COARSE) + NOISE**2)
    structure: Singles = band / contrast
    return structure


def _unsaturated(values: Singles) -> NDArray[np.bool_]:
    inside: NDArray[np.bool_] = (values > DARKEST) & (values < LIGHTEST)
    return inside


def _standardized(values: Singles) -> Singles:
    even: Singles = (values - values.mean()) / (values.std() + 1e-6)
    return even


def _correlation(first: Singles, second: Singles) -> float:
    first, second = first - first.mean(), second - second.mean()
    return float((first * second).sum() / (np.linalg.norm(first) * np.linalg.norm(second) + 1e-9))
