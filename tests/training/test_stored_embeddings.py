from __future__ import annotations

import numpy as np
import pytest
import torch

from cass.data.store.dataset import StoredImages
from cass.data.store.store import ImageStore
from cass.errors import ModelError
from cass.models.backbones import BackboneSpec, Branch, build_branch
from cass.training.stored_embeddings import describe_stored, embed_finite, embed_stored
from cass.transforms.descriptors import gradient_histograms

CPU = torch.device("cpu")


@pytest.fixture
def branch() -> Branch:
    return build_branch(BackboneSpec("test_resnet", image_size=32), seed=0)


def stored(count: int) -> StoredImages:
    pixels = np.random.default_rng(0).integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)
    return StoredImages(ImageStore(array=pixels, unreadable={}), range(count))


def floats(images: StoredImages) -> torch.Tensor:
    return torch.from_numpy(images.images.pixels(images.rows)).permute(0, 3, 1, 2).float() / 255


def test_embeddings_are_those_of_the_plain_images_and_the_mode_is_restored(branch: Branch) -> None:
    images = stored(70)
    branch.train()
    before = {name: value.clone() for name, value in branch.named_buffers()}
    embeddings = embed_finite(branch, images, device=CPU)
    assert branch.training
    assert all(part.training for part in branch.modules())
    assert all(torch.equal(value, before[name]) for name, value in branch.named_buffers())
    assert embeddings.shape == (70, branch.num_features)
    expected = branch.eval().embed(floats(images)[66:67])[0].detach().numpy()
    np.testing.assert_allclose(embeddings[66], expected, rtol=1e-3, atol=1e-4)
    np.testing.assert_array_equal(embed_finite(branch, images, device=CPU), embeddings)


def test_images_are_changed_before_they_are_embedded(branch: Branch) -> None:
    images, done = stored(3), []
    flipped = embed_stored(
        branch, images, device=CPU, augment=lambda shown, batch: shown.flip(-1), advance=done.append
    )
    expected = branch.eval().embed(floats(images).flip(-1)).detach()
    torch.testing.assert_close(flipped, expected, rtol=1e-3, atol=1e-4)
    assert sum(done) == 3


def test_embeddings_that_are_not_finite_are_refused(branch: Branch) -> None:
    with torch.no_grad():
        next(branch.backbone.parameters()).fill_(float("nan"))
    with pytest.raises(ModelError, match=r"test_resnet.*lower --lr"):
        embed_finite(branch, stored(3), device=CPU)


def test_descriptions_are_in_the_order_of_the_images() -> None:
    images = stored(66)
    torch.testing.assert_close(describe_stored(images, device=CPU), gradient_histograms(floats(images)))
