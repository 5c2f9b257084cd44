"""Branches: a timm backbone with its input normalisation and, where its weights bring one, a classifier."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cass.errors import ModelError, did_you_mean
from cass.models.imagenet import published_file
from cass.models.modes import evaluation_mode
from cass.models.weight_files import classifier_width, weight_file

DYNAMIC_SIZE = "dynamic_img_size"
"""timm's argument of a Transformer that takes images of several sizes."""


@dataclass(frozen=True)
class BackboneSpec:
    """Which network a branch is and its initial weights.

    Attributes:
        name: timm model name.
        weights: ``imagenet`` (those that timm publishes, see :mod:`cass.models.imagenet`), ``none`` (random
            initialisation), or a safetensors file or its folder.
        image_size: Side of the square input, in pixels.
        in_chans: Channels of the input.
        args: Further keyword arguments of ``timm.create_model``.
        option: Name of the user's option, for messages, such as ``--cnn``.
    """

    name: str
    weights: str = "none"
    image_size: int = 224
    in_chans: int = 3
    args: dict[str, Any] = field(default_factory=dict)
    option: str = "--cnn"


class Branch(nn.Module):
    """One half of the pair: normalises images, embeds them and, where it has a head, maps to logits.

    Args:
        backbone: timm network without classifier: (B, C, S, S) to embeddings (B, D).
        spec: What was built, kept for the file that the branch is saved to.
        num_features: D.
        mean: Channel means in [0, 1], C numbers.
        std: Channel standard deviations, C positive numbers.
        head: Linear classifier D to K, or None.
        classifier: timm's name of the classifier, so that exported keys load into bare timm.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        backbone: nn.Module,
        *,
        spec: BackboneSpec,
        num_features: int,
        mean: Sequence[float],
        std: Sequence[float],
        head: nn.Linear | None = None,
        classifier: str = "head",
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head
        self.spec = spec
        self.num_features = num_features
        self.classifier = classifier
        self.set_normalization(mean, std)

    def set_normalization(self, mean: Sequence[float], std: Sequence[float]) -> None:
        """Set the channel means and standard deviations of the input in [0, 1], C numbers each."""
        if not len(mean) == len(std) == self.spec.in_chans:
            raise ValueError(f"{len(mean)} means and {len(std)} deviations for {self.spec.in_chans} channels")
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32).view(1, -1, 1, 1), persistent=False)

    @property
    def patch_size(self) -> int | None:
        """Side of the patches that a Transformer cuts images into, in pixels; None for a CNN."""
        return patch_size(self.backbone)

    @property
    def is_transformer(self) -> bool:
        """Whether the backbone cuts images into patches or has self-attention."""
        attends = any("Attention" in type(part).__name__ for part in self.backbone.modules())
        return attends or self.patch_size is not None

    def checkpoint_gradients(self) -> None:
        """Compute activations a second time in the backward pass instead of keeping them.

        Raises:
            ModelError: Where timm does not offer it for this network.
        """
        try:
            self.backbone.set_grad_checkpointing(True)  # type: ignore[operator]
        except (AttributeError, AssertionError, NotImplementedError):
            raise ModelError(
                f"timm has no gradient checkpointing for {self.spec.name!r}",
                "Drop --gradient-checkpointing, or raise --accumulate.",
            ) from None

    def embed(self, images: Tensor) -> Tensor:
        """Embed images.

        Args:
            images: (B, C, S, S) floats in [0, 1].

        Returns:
            Embeddings (B, D).
        """
        embedding: Tensor = self.backbone((images - self.mean) / self.std)
        return embedding

    def forward(self, images: Tensor) -> Tensor:
        """Map images to logits.

        Args:
            images: (B, C, S, S) floats in [0, 1].

        Returns:
            Logits (B, K) where the branch has a head, else embeddings (B, D).
        """
        embedding = self.embed(images)
        return embedding if self.head is None else self.head(embedding)


def build_branch(spec: BackboneSpec, *, seed: int) -> Branch:
    """Build a branch from timm.

    Args:
        spec: Name, start and input of the network.
        seed: Seed of the random initialisation; torch's global generator is not changed.

    Returns:
        The branch, with the classifier that its weights bring as its head, else none; normalised as the
        weights were trained, or with mean and standard deviation 0.5 for random initialisation.

    Raises:
        ModelError: For an unknown name, weights that are missing or do not fit, an image size that the
            network cannot take, or further arguments that timm refuses.
    """
    import timm

    if spec.name.split(".")[0] not in timm.list_models():
        known = did_you_mean(spec.name, timm.list_models())
        raise ModelError(f"{spec.option}: timm has no model {spec.name!r}", known or "See timm.list_models().")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network, loaded = _create(spec)
    _check_patch_size(network, spec)
    cfg = network.pretrained_cfg
    classifier = cfg.get("classifier") if isinstance(cfg.get("classifier"), str) else "head"
    trained_head = network.get_classifier() if loaded and network.num_classes > 0 else None
    network.reset_classifier(0)
    num_features = _probe(network, spec)
    fits = isinstance(trained_head, nn.Linear) and trained_head.in_features == num_features
    mean, std = ([0.5], [0.5]) if spec.weights == "none" else (list(cfg["mean"]), list(cfg["std"]))
    return Branch(
        network,
        spec=spec,
        num_features=num_features,
        mean=_per_channel(mean, spec.in_chans),
        std=_per_channel(std, spec.in_chans),
        head=trained_head if fits else None,
        classifier=str(classifier),
    )


def check_network(spec: BackboneSpec) -> Branch:
    """Check that a branch can be built, without allocating its weights.

    Args:
        spec: Name, start and input of the network.

    Returns:
        The branch, on the meta device.

    Raises:
        ModelError: As of :func:`build_branch`, except for what only loading the weights can tell.
    """
    _weights_of(spec)
    with torch.device("meta"):
        return build_branch(replace(spec, weights="none"), seed=0)


def _create(spec: BackboneSpec) -> tuple[Any, bool]:
    """Call timm; returns the network and whether weights were loaded into it."""
    import timm

    kwargs: dict[str, Any] = {**spec.args, "in_chans": spec.in_chans}
    path = _weights_of(spec)
    if path is not None:
        kwargs["pretrained"] = True
        cfg = timm.get_pretrained_cfg(spec.name)
        width = classifier_width(path, getattr(cfg, "classifier", None))
        # Where both widths agree timm loads strictly, so that no weight goes missing in silence.
        kwargs["pretrained_cfg_overlay"] = {"file": str(path), "num_classes": width}
        kwargs["num_classes"] = width
    try:
        try:
            return timm.create_model(spec.name, img_size=spec.image_size, **kwargs), path is not None
        except TypeError as error:
            if "img_size" not in str(error):  # convolutional networks take any size
                raise
            return timm.create_model(spec.name, **kwargs), path is not None
    except Exception as error:
        raise _creation_error(spec, error) from None


def _weights_of(spec: BackboneSpec) -> Path | None:
    """Return the weight file of a network; None for random initialisation."""
    if spec.weights == "none":
        return None
    if spec.weights == "imagenet":
        return published_file(spec.name, option=spec.option)
    return weight_file(Path(spec.weights), option=f"{spec.option}-weights")


def _creation_error(spec: BackboneSpec, error: Exception) -> ModelError:
    """Say in one line why timm could not build the network, and what to do."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    # torch names the weights that do not fit in the lines after the first.
    reason = textwrap.shorten(
        lines[1] if lines[0].startswith("Error(s) in loading") and lines[1:] else lines[0], 200
    )
    if DYNAMIC_SIZE in reason:
        return ModelError(
            f"{spec.option} {spec.name!r} takes images of one size only, and these views have two sizes",
            "Use --views paper, or a plain vision Transformer.",
        )
    if spec.weights != "none":
        return ModelError(
            f"{spec.option}-weights {spec.weights} does not fit {spec.name!r}: {reason}",
            f"Check that the file was saved from {spec.name!r}.",
        )
    return ModelError(f"{spec.option} {spec.name!r} cannot be built: {reason}", f"Check {spec.option}-args.")


def patch_size(network: Any) -> int | None:
    """Return the side of the patches that a timm network cuts images into, in pixels; None for a CNN."""
    patch = getattr(getattr(network, "patch_embed", None), "patch_size", None)
    if patch is None:
        return None
    return int(patch[0] if isinstance(patch, tuple | list) else patch)


def tile_of(module: nn.Module) -> int:
    """Return what the side of any image must be a multiple of for every branch in a module, in pixels."""
    sides = [part.patch_size or 1 for part in module.modules() if isinstance(part, Branch)]
    return math.lcm(*sides)


def _check_patch_size(network: Any, spec: BackboneSpec) -> None:
    """Refuse an image size that the patches of a Transformer do not tile: timm would cut the rest away."""
    side = patch_size(network)
    if side is not None and spec.image_size % side:
        low = spec.image_size // side * side
        sizes = " or ".join(str(size) for size in (low, low + side) if size)
        raise ModelError(
            f"--image-size {spec.image_size} is not a multiple of the patch size {side} of {spec.name!r}",
            f"Use {sizes}.",
        )


def _probe(network: Any, spec: BackboneSpec) -> int:
    """Run one blank image through the network: its embedding's width, or why the size does not do."""
    try:
        with evaluation_mode(network), torch.no_grad():
            embedding = network(torch.zeros(1, spec.in_chans, spec.image_size, spec.image_size))
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise ModelError(
            f"{spec.option} {spec.name!r} cannot take images of {spec.image_size} px: {reason}",
            "Choose another --image-size.",
        ) from None
    if embedding.ndim != 2:
        raise ModelError(
            f"{spec.option} {spec.name!r} does not pool its features into one embedding",
            "Choose a classification network.",
        )
    return int(embedding.shape[1])


def _per_channel(values: Sequence[float], in_chans: int) -> list[float]:
    """Spread the statistics of the trained channels over ``in_chans`` channels."""
    if len(values) == in_chans:
        return list(values)
    return [sum(values) / len(values)] * in_chans
