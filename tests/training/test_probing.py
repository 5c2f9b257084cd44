from __future__ import annotations

import numpy as np
import torch
from torch import nn

from cass.config.finetune import TuneSettings
from cass.data.store.dataset import StoredImages
from cass.data.store.store import ImageStore
from cass.evaluation.probe import fit_probe
from cass.models.backbones import BackboneSpec, build_branch
from cass.training.labelled import LabelledImages
from cass.training.probing import fold_temperature, head_of, probe_branch, probe_weights


def test_the_head_is_the_probe() -> None:
    rng = np.random.default_rng(0)
    x, targets = rng.normal(5, 3, (40, 8)).astype(np.float32), np.eye(3, dtype=np.uint8)[np.arange(40) % 3]
    probe = fit_probe(x, targets, validation=x, validation_targets=targets, task="multiclass")
    head = head_of(probe)
    np.testing.assert_allclose(head(torch.from_numpy(x)).detach().numpy(), probe.logits(x), atol=1e-5)


def test_a_temperature_divides_the_logits() -> None:
    head, x = nn.Linear(4, 3), torch.randn(5, 4)
    before = head(x).detach()
    fold_temperature(head, 2.5)
    torch.testing.assert_close(head(x).detach(), before / 2.5)


def uneven() -> LabelledImages:
    """Noise: of three classes, one is rare among the training images, and another among the validation images."""
    kinds = np.array([0] * 16 + [1] * 4 + [2] * 10 + [0] * 4 + [1] * 16 + [2] * 10)
    pixels = np.random.default_rng(0).integers(0, 256, (60, 32, 32, 3), dtype=np.uint8)
    store, targets = ImageStore(pixels, {}), np.eye(3, dtype=np.uint8)[kinds]
    return LabelledImages(
        train=StoredImages(store, np.arange(30), targets=targets),
        validation=StoredImages(store, np.arange(30, 60), targets=targets),
        sample=StoredImages(store, np.arange(30)),
        codes=np.arange(60),
        task="multiclass",
    )


def test_classes_count_alike_among_the_images_that_a_probe_is_fitted_to() -> None:
    data = uneven()
    alone = probe_weights(TuneSettings(), data, with_validation=False)
    np.testing.assert_allclose(alone, [10 / 16, 10 / 4, 1], rtol=1e-6)
    np.testing.assert_allclose(probe_weights(TuneSettings(), data, with_validation=True), [1, 1, 1])
    assert probe_weights(TuneSettings(balance="none"), data, with_validation=True) is None


def test_a_strongly_penalised_probe_does_not_predict_the_class_that_validation_has_most_of() -> None:
    branch = build_branch(BackboneSpec("test_resnet", image_size=32), seed=0)
    data = uneven()
    probed = probe_branch(TuneSettings(head="linear", device="cpu"), branch, data=data)
    assert probed.probe.penalty >= 10
    counts = np.bincount(probed.probe.logits(probed.labelled).argmax(axis=1), minlength=3)
    assert counts.max() < 40
