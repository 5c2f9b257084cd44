from __future__ import annotations

import numpy as np
import pytest
import torch

from cass.transforms.descriptors import CELLS, DIRECTIONS, SCALES, gradient_histograms

HISTOGRAM = DIRECTIONS * CELLS**2
WIDTH = len(SCALES) * (HISTOGRAM + 1 + CELLS**2)


def waves(degrees: float, *, side: int = 64, channels: int = 3) -> torch.Tensor:
    """Draw stripes whose gradient points into a direction."""
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    angle = torch.deg2rad(torch.tensor(degrees))
    stripes = 0.5 + 0.4 * torch.sin((torch.cos(angle) * x + torch.sin(angle) * y) / 3)
    return stripes.expand(1, channels, side, side)


@pytest.mark.parametrize("channels", [1, 3, 5])
@pytest.mark.parametrize("side", [16, 33, 64])
def test_there_are_as_many_numbers_as_promised_and_all_are_finite(side: int, channels: int) -> None:
    images = torch.rand(3, channels, side, side)
    images[0] = 0.0  # nothing to see
    described = gradient_histograms(images)
    assert described.shape == (3, WIDTH + CELLS**2 * channels)
    assert bool(described.isfinite().all())


@pytest.mark.parametrize(("degrees", "bin_"), [(0, 0), (45, 2), (90, 4), (135, 6), (180, 0)])
def test_a_direction_fills_its_bin(degrees: float, bin_: int) -> None:
    first = gradient_histograms(waves(degrees))[0, :HISTOGRAM].view(DIRECTIONS, CELLS, CELLS)
    assert int(first.mean(dim=(1, 2)).argmax()) == bin_


def test_histograms_are_what_a_plain_count_gives() -> None:
    image = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    described = gradient_histograms(image)[0, :HISTOGRAM].view(DIRECTIONS, CELLS, CELLS).numpy()
    from kornia.filters import gaussian_blur2d

    sigma = SCALES[0] * 32
    grey = gaussian_blur2d(image.mean(dim=1, keepdim=True), (3, 3), (sigma, sigma))[0, 0].numpy()
    across, down = grey[1:-1, 2:] - grey[1:-1, :-2], grey[2:, 1:-1] - grey[:-2, 1:-1]
    strength, turn = np.sqrt(across**2 + down**2 + 1e-8), np.arctan2(down, across) % np.pi / np.pi * DIRECTIONS
    counts = np.zeros((DIRECTIONS, 30, 30))
    for row, column in np.ndindex(30, 30):
        low = int(turn[row, column]) % DIRECTIONS
        rest = turn[row, column] - int(turn[row, column])
        counts[low, row, column] += (1 - rest) * strength[row, column]
        counts[(low + 1) % DIRECTIONS, row, column] += rest * strength[row, column]
    edges = [(30 * cell // CELLS, -(-30 * (cell + 1) // CELLS)) for cell in range(CELLS)]
    pooled = np.stack(
        [[counts[:, a:b, c:d].mean(axis=(1, 2)) for c, d in edges] for a, b in edges], axis=0
    ).transpose(2, 0, 1)
    np.testing.assert_allclose(described, np.sqrt(pooled / np.linalg.norm(pooled)), atol=1e-3)


def test_light_does_not_change_the_histograms() -> None:
    image = torch.rand(1, 3, 48, 48, generator=torch.Generator().manual_seed(1))
    bright, dim = gradient_histograms(image), gradient_histograms(0.5 * image + 0.2)
    torch.testing.assert_close(bright[:, :HISTOGRAM], dim[:, :HISTOGRAM], rtol=0, atol=1e-3)
    assert not torch.allclose(bright[:, HISTOGRAM], dim[:, HISTOGRAM])
