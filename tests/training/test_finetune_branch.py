from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import torch

from cass.config.finetune import TuneSettings
from cass.data.store.dataset import StoredImages
from cass.data.store.store import ImageStore
from cass.evaluation.probabilities import probabilities
from cass.models.backbones import BackboneSpec, build_branch
from cass.training.balance import choose_balance
from cass.training.finetune_branch import choose_thresholds, tune_branch
from cass.training.labelled import LabelledImages
from cass.training.probing import probe_branch

KINDS = np.arange(24) % 2
LABELS = np.eye(2, dtype=np.uint8)[KINDS]


def data() -> LabelledImages:
    """Dark and bright images; the first half trains."""
    rng = np.random.default_rng(0)
    pixels = (rng.integers(0, 90, (24, 32, 32, 3)) + 160 * KINDS[:, None, None, None]).clip(0, 255)
    store = ImageStore(pixels.astype(np.uint8), {})
    halves = (StoredImages(store, range(first, first + 12), targets=LABELS) for first in (0, 12))
    return LabelledImages(*halves, sample=StoredImages(store, range(12)), codes=np.arange(24), task="multiclass")


@pytest.mark.parametrize("head", ["linear", "full"])
def test_the_best_of_probe_and_epochs_is_returned_calibrated(
    tmp_path: Path, head: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = TuneSettings(device="cpu", epochs=2, batch_size=4, min_steps=1, head=head, lr=1e-5)
    branch = build_branch(BackboneSpec("test_resnet", image_size=32), seed=0)
    images = data()
    monkeypatch.setattr(logging.getLogger("cass"), "propagate", True)
    balance = choose_balance(config, images.train.labels, task="multiclass")
    with caplog.at_level(logging.INFO, logger="cass"):
        probed = probe_branch(config, branch, data=images)
        tuned = tune_branch(
            config, probed, "cnn", data=images, balance=balance, pseudo=None, fresh=False, work=tmp_path
        )
    assert [row["epoch"] for row in tuned.rows] == ([0] if head == "linear" else [0, 1, 2])
    assert tuned.summary["val_loss"] == min(row["val/loss"] for row in tuned.rows)
    assert tuned.summary["val_balanced_accuracy"] == 1.0
    shown = torch.from_numpy(images.validation.images.pixels(images.validation.rows)).permute(0, 3, 1, 2) / 255
    with torch.no_grad():
        again = probabilities(tuned.branch.eval()(shown), task="multiclass").numpy()
    if head == "full":
        np.testing.assert_allclose(tuned.held, again, atol=1e-4)
        assert "linear probe on 12 labels" in caplog.text
    else:  # with few validation images the probe is fitted to them too, and judged by folds
        assert "linear probe on 24 labels" in caplog.text
        assert (again.argmax(axis=1) == KINDS[12:]).all()
        assert sorted(map(tuple, tuned.held_labels)) == sorted(map(tuple, LABELS))


def test_thresholds_are_for_labels_that_occur_together() -> None:
    held = np.array([[0.2, 0.9], [0.3, 0.8], [0.1, 0.1], [0.05, 0.2]], dtype=np.float32).repeat(30, axis=0)
    labels = np.array([[1, 1], [1, 1], [0, 0], [0, 0]], dtype=np.uint8).repeat(30, axis=0)
    assert choose_thresholds(held, labels, task="multiclass") is None
    found = choose_thresholds(held, labels, task="multilabel")
    assert found is not None
    assert ((held >= np.array(found)) == labels).all()
