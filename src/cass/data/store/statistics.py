"""Channel mean and spread of a data set."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from cass.data.store.dataset import Images, StoredImages, in_order, to_images

SAMPLE = 2000
CHUNK = 64
SMALLEST_STD = 1e-3


def channel_statistics(images: Images, rows: Sequence[int] | NDArray[np.int64]) -> tuple[list[float], list[float]]:
    """Measure the channels of some images.

    Args:
        images: Decoded images.
        rows: Rows to measure; of more than 2,000, evenly spaced ones are taken.

    Returns:
        Mean and standard deviation of each channel over all pixels, in [0, 1]; the deviation is at least
        0.001, so that dividing by it is safe for a channel that is blank.
    """
    chosen = np.asarray(rows)[np.linspace(0, len(rows) - 1, min(len(rows), SAMPLE)).astype(int)]
    total = square = torch.zeros(1, dtype=torch.float64)
    pixels = 0
    for batch in in_order(StoredImages(images, chosen), batch_size=CHUNK):
        values = to_images(batch.pixels).double()  # (B, C, S, S)
        total = total + values.sum(dim=(0, 2, 3))
        square = square + values.square().sum(dim=(0, 2, 3))
        pixels += values[:, 0].numel()
    mean = total / pixels
    std = (square / pixels - mean.square()).clamp(min=0).sqrt().clamp(min=SMALLEST_STD)
    return mean.tolist(), std.tolist()
