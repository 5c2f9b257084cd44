"""A linear probe as the head of a branch, and the temperature that is folded into a head."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cass.data.store.dataset import StoredImages, in_order, to_images
from cass.errors import ModelError
from cass.evaluation.probe import Probe, fit_probe
from cass.models.backbones import Branch
from cass.transforms.descriptors import gradient_histograms
from cass.types import Task

BATCH = 64


def embed_stored(
    branch: Branch,
    images: StoredImages,
    *,
    device: torch.device,
    advance: Callable[[int], None] = lambda count: None,
) -> NDArray[np.float32]:
    """Embed images as they are stored, without augmentation, in evaluation mode and 32-bit floats.

    Args:
        branch: The branch; it is moved to the device, and left in evaluation mode.
        images: The images.
        device: Where to compute.
        advance: Told how many more images are done.

    Returns:
        (N, D), in the order of the images.

    Raises:
        ModelError: Where they are not finite.
    """
    branch.to(device).eval()
    parts = []
    with torch.no_grad():
        for batch in in_order(images, batch_size=BATCH):
            pixels = to_images(batch.pixels.to(device)).contiguous(memory_format=torch.channels_last)
            parts.append(branch.embed(pixels).float())
            advance(len(batch.rows))
    embeddings: NDArray[np.float32] = torch.cat(parts).cpu().numpy()
    if not np.isfinite(embeddings).all():
        raise ModelError(
            f"{branch.spec.name!r} gives embeddings that are not finite numbers",
            "Pretraining diverged: repeat it with a lower --lr.",
        )
    return embeddings


def describe_stored(images: StoredImages, *, device: torch.device) -> Tensor:
    """Describe images as they are stored by their gradient histograms.

    Args:
        images: The images.
        device: Where to compute.

    Returns:
        (N, H) on the CPU, in the order of the images.
    """
    batches = in_order(images, batch_size=BATCH)
    return torch.cat([gradient_histograms(to_images(batch.pixels.to(device))).cpu() for batch in batches])


def probe_head(
    train: NDArray[np.float32],
    train_targets: NDArray[np.uint8],
    validation: NDArray[np.float32],
    validation_targets: NDArray[np.uint8],
    *,
    task: Task,
    weights: Tensor | None,
) -> tuple[nn.Linear, Probe]:
    """Fit a linear probe and make a head of it.

    Args:
        train: Training embeddings (N, D).
        train_targets: (N, K) of 0 and 1.
        validation: Validation embeddings (M, D).
        validation_targets: (M, K).
        task: Multi-class or multi-label.
        weights: Class weights (K,), or None.

    Returns:
        The head, D to K, and the probe.
    """
    probe = fit_probe(
        train,
        train_targets,
        validation=validation,
        validation_targets=validation_targets,
        task=task,
        weights=None if weights is None else weights.numpy().astype(np.float64),
    )
    head = nn.Linear(train.shape[1], train_targets.shape[1])
    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(probe.weight))
        head.bias.copy_(torch.from_numpy(probe.bias))
    return head, probe


def fold_temperature(head: nn.Linear, temperature: float) -> None:
    """Divide the logits of a head by a temperature, for good: its weights and biases are divided."""
    with torch.no_grad():
        head.weight.div_(temperature)
        head.bias.div_(temperature)
