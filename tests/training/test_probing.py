from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from cass.data.store.dataset import StoredImages
from cass.data.store.store import ImageStore
from cass.errors import ModelError
from cass.models.backbones import BackboneSpec, Branch, build_branch
from cass.training.probing import embed_stored, fold_temperature, probe_head

CPU = torch.device("cpu")


@pytest.fixture
def branch() -> Branch:
    return build_branch(BackboneSpec("test_resnet", image_size=32), seed=0)


def stored(count: int) -> StoredImages:
    pixels = np.random.default_rng(0).integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)
    return StoredImages(ImageStore(array=pixels, corrupt={}), range(count))


def test_embeddings_are_those_of_the_plain_images(branch: Branch) -> None:
    images = stored(70)
    branch.train()
    embeddings = embed_stored(branch, images, device=CPU)
    assert embeddings.shape == (70, branch.num_features)
    pixels = torch.from_numpy(images.images.pixels([66])).permute(0, 3, 1, 2).float() / 255
    np.testing.assert_allclose(embeddings[66], branch.embed(pixels)[0].detach().numpy(), rtol=1e-3, atol=1e-4)
    np.testing.assert_array_equal(embed_stored(branch, images, device=CPU), embeddings)


def test_embeddings_that_are_not_finite_are_refused(branch: Branch) -> None:
    with torch.no_grad():
        next(branch.backbone.parameters()).fill_(float("nan"))
    with pytest.raises(ModelError, match=r"test_resnet.*lower --lr"):
        embed_stored(branch, stored(3), device=CPU)


def test_the_head_is_the_probe() -> None:
    rng = np.random.default_rng(0)
    x, targets = rng.normal(5, 3, (40, 8)).astype(np.float32), np.eye(3, dtype=np.uint8)[np.arange(40) % 3]
    head, probe = probe_head(x, targets, x, targets, task="multiclass", weights=torch.ones(3))
    np.testing.assert_allclose(head(torch.from_numpy(x)).detach().numpy(), probe.logits(x), atol=1e-5)


def test_a_temperature_divides_the_logits() -> None:
    head, x = nn.Linear(4, 3), torch.randn(5, 4)
    before = head(x).detach()
    fold_temperature(head, 2.5)
    torch.testing.assert_close(head(x).detach(), before / 2.5)
