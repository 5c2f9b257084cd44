from __future__ import annotations

import pytest
import torch

from cass.models.backbones import BackboneSpec, Branch, build_branch
from cass.models.embedding import embed_batch, embed_batches


@pytest.fixture
def branch() -> Branch:
    return build_branch(BackboneSpec("test_resnet", image_size=32), seed=0)


def test_batches_are_embedded_one_after_another_and_the_mode_is_restored(branch: Branch) -> None:
    images = torch.rand(5, 3, 32, 32)
    branch.train()
    embeddings = embed_batches(branch, [images[:3], images[3:]])
    assert all(part.training for part in branch.modules())
    assert not embeddings.requires_grad
    torch.testing.assert_close(embeddings, branch.eval().embed(images).detach(), rtol=1e-4, atol=1e-5)


def test_embeddings_are_32_bit_floats_whatever_the_runs_precision(branch: Branch) -> None:
    images = torch.rand(2, 3, 32, 32)
    branch.eval()
    with torch.autocast("cpu", torch.bfloat16):
        inside = embed_batch(branch, images)
    assert inside.dtype == torch.float32
    assert torch.equal(inside, embed_batch(branch, images))
    doubled = embed_batch(branch, images, output=lambda network, shown: 2 * network.embed(shown))
    torch.testing.assert_close(doubled, 2 * inside)
