"""Embeddings and descriptors of stored images."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cass.data.store.dataset import Batch, StoredImages, in_order, to_images
from cass.errors import ModelError
from cass.models.backbones import Branch
from cass.models.embedding import embed_batches
from cass.transforms.descriptors import gradient_histograms

BATCH = 64


def embed_stored(
    branch: Branch,
    images: StoredImages,
    *,
    device: torch.device,
    augment: Callable[[Tensor, Batch], Tensor] = lambda shown, batch: shown,
    advance: Callable[[int], None] = lambda count: None,
) -> Tensor:
    """Embed stored images in evaluation mode and 32-bit floats.

    Args:
        branch: The branch; it is moved to the device, its mode is restored.
        images: The images.
        device: Where to compute.
        augment: Function of images (B, C, S, S) in [0, 1] and their batch that changes them; default: none.
        advance: Called with the number of images done since the last call.

    Returns:
        (N, D) on the CPU, in the order of the images.
    """

    def shown() -> Iterator[Tensor]:
        for batch in in_order(images, batch_size=BATCH):
            yield augment(to_images(batch.pixels.to(device)), batch)
            advance(len(batch.rows))

    return embed_batches(branch.to(device), shown())


def embed_finite(
    branch: Branch,
    images: StoredImages,
    *,
    device: torch.device,
    advance: Callable[[int], None] = lambda count: None,
) -> NDArray[np.float32]:
    """Embed stored images as they are, for what cannot go on with NaN.

    Args:
        branch: The branch; it is moved to the device, its mode is restored.
        images: The images.
        device: Where to compute.
        advance: Called with the number of images done since the last call.

    Returns:
        (N, D), in the order of the images.

    Raises:
        ModelError: Where they are not finite.
    """
    embeddings: NDArray[np.float32] = embed_stored(branch, images, device=device, advance=advance).numpy()
    if not np.isfinite(embeddings).all():
        raise ModelError(
            f"{branch.spec.name!r} gives embeddings that are not finite numbers",
            "Pretraining diverged: repeat it with a lower --lr.",
        )
    return embeddings


def describe_stored(images: StoredImages, *, device: torch.device) -> Tensor:
    """Describe stored images by their gradient histograms.

    Args:
        images: The images.
        device: Where to compute.

    Returns:
        (N, H) on the CPU, in the order of the images.
    """
    batches = in_order(images, batch_size=BATCH)
    return torch.cat([gradient_histograms(to_images(batch.pixels.to(device))).cpu() for batch in batches])
