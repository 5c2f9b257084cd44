"""The learning rate of short runs, and batch-norm statistics of the training images."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cass.data.store.dataset import StoredImages, to_images
from cass.data.store.store import ImageStore
from cass.methods.base import Optimization
from cass.models.backbones import BackboneSpec, build_branch
from cass.training.protection import adapt_batch_norms, lowered


@pytest.mark.parametrize(
    ("steps", "batch", "share"), [(200, 32, 1.0), (128, 16, 1.0), (64, 16, 0.5), (128, 4, 0.5)]
)
def test_the_rate_is_lowered_for_few_steps_and_small_batches(steps: int, batch: int, share: float) -> None:
    how = Optimization("adamw", lr=0.01)
    assert lowered(how, steps=steps, batch_size=batch).lr == pytest.approx(0.01 * share)


def test_batch_norms_take_the_statistics_of_the_training_images() -> None:
    branch = build_branch(BackboneSpec("test_resnet", image_size=32), seed=0).train()
    pixels = np.random.default_rng(0).integers(0, 128, (60, 32, 32, 3), dtype=np.uint8)
    images = StoredImages(ImageStore(array=pixels, unreadable={}), range(60))
    first = next(part for part in branch.modules() if isinstance(part, torch.nn.BatchNorm2d))
    weights = {name: value.clone() for name, value in branch.named_parameters()}
    seen = []
    hook = first.register_forward_hook(
        lambda _, inputs, output: seen.append((inputs[0].detach(), output.detach()))
    )
    adapt_batch_norms(branch, images, device=torch.device("cpu"), seed=0)
    torch.testing.assert_close(first.running_mean, seen[0][0].mean(dim=(0, 2, 3)), rtol=1e-4, atol=1e-5)
    branch.eval().embed(to_images(images[range(60), 60].pixels))
    hook.remove()
    torch.testing.assert_close(seen[1][0].mean(dim=(0, 2, 3)), first.running_mean, rtol=1e-4, atol=1e-5)
    assert first.momentum is not None
    assert all(torch.equal(value, weights[name]) for name, value in branch.named_parameters())
