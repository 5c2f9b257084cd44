"""The linear probe of a branch: embeddings of its images, the fit, and the head that it becomes."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from cass.config.finetune import TuneSettings
from cass.data.store.dataset import StoredImages
from cass.evaluation.probe import Probe, Scaling, fit_probe, scalings
from cass.hardware import torch_device
from cass.models.backbones import Branch
from cass.training.balance import choose_balance
from cass.training.labelled import LabelledImages
from cass.training.stored_embeddings import embed_finite


@dataclass(frozen=True)
class ProbedBranch:
    """A branch with its linear probe, before any training.

    Attributes:
        branch: The branch, without a head.
        probe: The probe.
        labelled: (N + M, D) embeddings of the training and validation images.
        unlabelled: (U, D) embeddings of the unlabelled images.
        isotropic: Centre of all features and one scale for all, by the sample of training images.
        pooled: Whether the probe is fitted to the validation images too.
        seconds: Time that it took.
    """

    branch: Branch
    probe: Probe
    labelled: NDArray[np.float32]
    unlabelled: NDArray[np.float32]
    isotropic: Scaling
    pooled: bool
    seconds: float


def probe_weights(
    config: TuneSettings, data: LabelledImages, *, with_validation: bool
) -> NDArray[np.float64] | None:
    """Balance the classes of the images that a probe is fitted to.

    Args:
        config: Settings of fine-tuning.
        data: The images.
        with_validation: Whether they are the training and validation images, or the training images alone.

    Returns:
        (K,) weights, or None where classes are not balanced.
    """
    labels = data.labels if with_validation else data.train.labels
    return choose_balance(config, labels, task=data.task).probe_weights


def probe_branch(config: TuneSettings, branch: Branch, *, data: LabelledImages) -> ProbedBranch:
    """Embed the images with a branch and fit a linear probe.

    Args:
        config: Settings of fine-tuning.
        branch: The branch as pretraining left it.
        data: The images.

    Returns:
        The branch with its probe.

    Raises:
        ModelError: The embeddings are not finite.
    """
    started = time.monotonic()
    parts = (data.train.rows, data.validation.rows, data.sample.rows, data.unlabelled)
    rows = np.unique(np.concatenate(parts))  # the sample holds most of the others
    seen = embed_finite(branch, StoredImages(data.train.images, rows), device=torch_device(config))
    train, held, sample, unlabelled = (seen[np.searchsorted(rows, part)] for part in parts)
    probe = fit_to_labels(config, data, train=train, held=held, sample=sample)
    seconds = time.monotonic() - started
    labelled, isotropic = np.concatenate([train, held]), scalings(sample)[0]
    return ProbedBranch(branch, probe, labelled, unlabelled, isotropic, _is_pooled(config, data), seconds)


def fit_to_labels(
    config: TuneSettings,
    data: LabelledImages,
    *,
    train: NDArray[np.floating],
    held: NDArray[np.floating],
    sample: NDArray[np.floating],
) -> Probe:
    """Fit a linear probe to embeddings, whatever network they come from.

    Args:
        config: Settings of fine-tuning.
        data: The images, of which only the labels are read.
        train: (N, D) embeddings of the training images.
        held: (M, D) embeddings of the validation images.
        sample: (S, D) embeddings of the sample.

    Returns:
        The probe.
    """
    return fit_probe(
        train,
        data.train.labels,
        validation=held,
        validation_targets=data.validation.labels,
        task=data.task,
        weights=probe_weights(config, data, with_validation=data.few_validation),
        sample=sample,
        codes=data.codes if data.few_validation else None,
        pooled=_is_pooled(config, data),
    )


def _is_pooled(config: TuneSettings, data: LabelledImages) -> bool:
    """Whether a probe is fitted to the validation images too."""
    return data.few_validation and config.head == "linear"


def head_of(probe: Probe) -> nn.Linear:
    """Make a head, D to K, of a probe."""
    classes, width = probe.weight.shape
    head = nn.Linear(width, classes)
    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(probe.weight))
        head.bias.copy_(torch.from_numpy(probe.bias))
    return head


def fold_temperature(head: nn.Linear, temperature: float) -> None:
    """Divide the logits of a head by a temperature, for good: its weights and biases are divided."""
    with torch.no_grad():
        head.weight.div_(temperature)
        head.bias.div_(temperature)
