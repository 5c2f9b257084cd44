"""The networks before the first step of a run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from cass.config.pretrain import PretrainConfig
from cass.listing import plural
from cass.models.backbones import DYNAMIC_SIZE, BackboneSpec, Branch, build_branch
from cass.seeds import derive_seed
from cass.types import BranchName, Caution

RANDOM_IMAGES: Final = 479
"""Fewest training images with which pretraining from random weights gained at every label fraction."""
RANDOM_STEPS: Final = 180
"""Fewest steps with which it did (``benchmarks/fewest.py``, docs/results.md)."""


def branch_spec(config: PretrainConfig, name: BranchName) -> BackboneSpec:
    """Return what the configuration says of one branch."""
    cnn = name == "cnn"
    return BackboneSpec(
        name=config.cnn if cnn else config.transformer,
        weights=config.cnn_weights if cnn else config.transformer_weights,
        image_size=config.image_size,
        in_chans=config.in_chans,
        args=config.cnn_args if cnn else config.transformer_args,
        option=f"--{name}",
    )


def starting_spec(config: PretrainConfig, name: BranchName, *, several_sizes: bool) -> BackboneSpec:
    """Return what a branch is built from, with what the views ask of it.

    Args:
        config: Settings of the run.
        name: ``cnn`` or ``transformer``.
        several_sizes: Whether images of other sizes than the configured one will pass through it.
    """
    spec = branch_spec(config, name)
    if several_sizes and name == "transformer":
        return replace(spec, args={**spec.args, DYNAMIC_SIZE: True})
    return spec


def start_branch(config: PretrainConfig, name: BranchName, *, several_sizes: bool = False) -> Branch:
    """Build a branch as a pretraining run starts it.

    Args:
        config: Settings of the run.
        name: ``cnn`` or ``transformer``.
        several_sizes: Whether images of other sizes than the configured one will pass through it.

    Returns:
        The branch; the same for the same configuration.

    Raises:
        ModelError: Where the network cannot be built or its weights are not available.
    """
    spec = starting_spec(config, name, several_sizes=several_sizes)
    return build_branch(spec, seed=derive_seed(config.seed, name))


def uses_image_statistics(config: PretrainConfig, name: BranchName, *, bits: int) -> bool:
    """Tell whether a branch is normalised by the training images' own statistics.

    Args:
        config: Settings of the run.
        name: ``cnn`` or ``transformer``.
        bits: Depth of the images, 8 or 16.

    Returns:
        False where the pretrained backbone's statistics are used. Left to itself, cass uses those for
        8-bit images and pretrained weights; 16-bit scans rarely fill their range as photographs do.
    """
    if config.normalization != "auto":
        return config.normalization == "data"
    return branch_spec(config, name).weights == "none" or bits > 8


def describe_start(config: PretrainConfig, names: Sequence[BranchName]) -> str:
    """Say in one line how each network is initialised."""
    parts = (branch_spec(config, name) for name in names)
    start = {"none": "random initialisation", "imagenet": "ImageNet weights"}
    return "; ".join(f"{part.name} from {start.get(part.weights, part.weights)}" for part in parts)


def random_start_cautions(
    config: PretrainConfig, names: Sequence[BranchName], *, images: int, batch_size: int
) -> list[Caution]:
    """Say where networks start from random weights with too little to learn from.

    Args:
        config: Settings of the run.
        names: The branches to train.
        images: Training images.
        batch_size: Images per step, over all processes.

    Returns:
        ``few-for-random-start``, where no branch is pretrained and there are fewer images or steps than those
        from which pretraining was measured to gain; else nothing.
    """
    steps = config.epochs * math.ceil(images / batch_size)
    if any(branch_spec(config, name).weights != "none" for name in names):
        return []
    if images >= RANDOM_IMAGES and steps >= RANDOM_STEPS:
        return []
    message = (
        f"{plural(images, 'image')} and {plural(steps, 'step')} are few for randomly initialised networks: "
        f"pretraining was measured to gain from {RANDOM_IMAGES:,} images and {RANDOM_STEPS:,} steps on. "
        "Use pretrained weights, or more images and --epochs."
    )
    return [{"code": "few-for-random-start", "message": message}]
