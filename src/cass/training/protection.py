"""Protection of pretrained weights, the same for every method: batch-norm statistics and learning rates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch.nn.modules.batchnorm import _BatchNorm

from cass.config.pretrain import PretrainConfig
from cass.data.store.dataset import StoredImages, to_images
from cass.methods.base import Method, Optimization
from cass.models.backbones import Branch
from cass.models.layers import layer_groups
from cass.models.modes import evaluation_mode
from cass.types import ParamGroup

FULL_STEPS = 128
"""Fewest steps for the full learning rate."""

FULL_BATCH = 16
"""Fewest images per step for the full learning rate."""

ADAPT_BATCH = 64


def lowered(how: Optimization, *, steps: int, batch_size: int) -> Optimization:
    """Lower the learning rate of a run of few steps or small batches, which could not recover from a high one.

    Args:
        how: Optimiser and rates.
        steps: Steps of the run, at least 1. Below 128 the rate is lowered in proportion.
        batch_size: Images per step. Below 16 the rate is lowered by the square root of their share.

    Source:
        For batches the square root rule of Malladi et al., On the SDEs and Scaling Rules for Adaptive
        Gradient Algorithms, NeurIPS 2022; for steps docs/objective.md.
    """
    share = min(1.0, steps / FULL_STEPS) * min(1.0, batch_size / FULL_BATCH) ** 0.5
    return replace(how, lr=how.lr * share)


def parameter_groups(method: Method, config: PretrainConfig) -> list[ParamGroup]:
    """Group what a method trains by learning rate and weight decay.

    Args:
        method: The method.
        config: Settings of the run: ``layer_decay`` for pretrained branches, ``cnn_rate`` for the CNN and its
            heads.

    Returns:
        Groups that hold each trained parameter once. Biases, norms, and what timm exempts (position embeddings,
        tokens) have no weight decay.
    """
    groups: list[ParamGroup] = []
    for name, (branch, whole) in method.trained().items():
        rate = config.cnn_rate if name == "cnn" else 1.0
        decay = 1.0 if branch.spec.weights == "none" else config.layer_decay
        for group in layer_groups(branch, layer_decay=decay):
            groups.append({**group, "lr_scale": rate * group["lr_scale"]})
        own = {id(parameter) for parameter in branch.parameters()}
        heads = [part for part in whole.parameters() if part.requires_grad and id(part) not in own]
        for decays in (True, False):
            params = [part for part in heads if (part.ndim > 1 and method.decays_heads) == decays]
            if params:
                groups.append({"params": params, "lr_scale": rate, "weight_decay_scale": float(decays)})
    return groups


@torch.no_grad()
def adapt_batch_norms(
    branch: Branch,
    images: StoredImages,
    *,
    device: torch.device,
    seed: int,
    advance: Callable[[int], None] = lambda count: None,
) -> None:
    """Estimate the running statistics of batch norm anew, on images that are not augmented.

    Args:
        branch: The branch; it is moved to the device. Its weights stay as they are.
        images: The training images, at least 2.
        device: Where to compute.
        seed: Seed of the order of the images.
        advance: Called with the number of images done since the last call.

    Source:
        Li et al., Revisiting Batch Normalization for Practical Domain Adaptation, arXiv 1603.04779 (AdaBN).
    """
    norms = [part for part in branch.modules() if isinstance(part, _BatchNorm)]
    if not norms:
        return
    momenta = [part.momentum for part in norms]
    order = np.random.default_rng(seed).permutation(len(images))
    branch.to(device)
    with evaluation_mode(branch):
        for part in norms:
            part.reset_running_stats()
            part.momentum = None  # the mean over all batches
            part.train()
        for chosen in np.array_split(order, max(1, len(order) // ADAPT_BATCH)):
            branch.embed(to_images(images[chosen.tolist(), len(chosen)].pixels.to(device)))
            advance(len(chosen))
    for part, momentum in zip(norms, momenta, strict=True):
        part.momentum = momentum
