from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cass.errors import ModelError
from cass.models.attribution import _stage, heat_maps
from cass.models.backbones import BackboneSpec, Branch, build_branch

SWIN, XCIT = "swin_tiny_patch4_window7_224", "xcit_nano_12_p8_224"


def branch_of(network: str, *, size: int = 64, seed: int = 0) -> Branch:
    branch = build_branch(BackboneSpec(network, image_size=size), seed=seed)
    torch.manual_seed(seed)
    branch.head = nn.Linear(branch.num_features, 3)
    with torch.no_grad():
        branch.head.weight.copy_(torch.rand(branch.head.weight.shape) ** 4)  # evidence for every class
    return branch.eval()


def images(size: int = 64) -> torch.Tensor:
    return torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(0))


def test_the_map_of_a_pooling_network_is_its_class_activation_map() -> None:
    """With average pooling and a linear head, HiResCAM is CAM (Zhou et al., CVPR 2016), computed directly."""
    branch = branch_of("test_resnet", size=448)
    classes = torch.tensor([0, 2])
    found = heat_maps(branch, images(448), classes)
    with torch.no_grad():
        features = branch.backbone.forward_features((images(448) - branch.mean) / branch.std)
        assert branch.head is not None
        weight = branch.head.weight[classes]
        expected = F.relu(torch.einsum("bc,bchw->bhw", weight, features))
        expected = F.interpolate(expected[:, None], size=(448, 448), mode="bilinear")[:, 0]
    top = expected.flatten(1).amax(dim=1)[:, None, None].clamp(min=1e-12)
    torch.testing.assert_close(found, expected / top, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize(
    "network", ["test_resnet", "test_vit", "vit_tiny_patch16_224", "swin_tiny_patch4_window7_224"]
)
def test_maps_have_the_size_of_the_image_and_leave_the_network_as_it_was(network: str) -> None:
    size = 224 if "swin" in network else 64
    branch = branch_of(network, size=size)
    shown = images(size)
    with torch.no_grad():
        before = branch(shown)
    maps = heat_maps(branch, shown, torch.tensor([0, 1]))
    assert maps.shape == (2, size, size)
    assert maps.min() >= 0
    assert maps.amax() <= 1
    with torch.no_grad():
        torch.testing.assert_close(branch(shown), before)
    assert all(parameter.grad is None for parameter in branch.parameters())


@pytest.mark.parametrize("network", ["test_resnet", "test_vit", XCIT])
def test_maps_depend_on_the_class_and_on_the_weights(network: str) -> None:
    """The check of randomised weights (Adebayo et al., NeurIPS 2018)."""
    branch, other = branch_of(network), branch_of(network, seed=1)
    first = heat_maps(branch, images(), torch.tensor([0, 0]))
    assert not torch.allclose(first, heat_maps(branch, images(), torch.tensor([1, 1])))
    assert not torch.allclose(first, heat_maps(other, images(), torch.tensor([0, 0])))


def test_hirescam_agrees_with_captum() -> None:
    """Features times gradients from captum, on the stage that cass chooses."""
    from captum.attr import LayerGradientXActivation

    branch, shown, classes = branch_of("test_resnet"), images(), torch.tensor([0, 2])
    stage = _stage(branch.backbone, 64)
    assert stage is not None
    product = LayerGradientXActivation(branch, stage).attribute(shown, target=classes)
    assert_same_map(heat_maps(branch, shown, classes), product.sum(dim=1).clamp(min=0).detach())


@pytest.mark.parametrize("network", ["test_vit", "vit_tiny_patch16_224"])
def test_gradient_weighted_attention_agrees_with_captum(network: str) -> None:
    """Attention times its gradient from captum; propagated as Chefer et al. write it, token by token."""
    from captum.attr import LayerGradientXActivation

    branch, shown, classes = branch_of(network), images(), torch.tensor([0, 2])
    found = heat_maps(branch, shown, classes)
    layers = [block.attn.attn_drop for block in branch.backbone.blocks]
    for block in branch.backbone.blocks:
        block.attn.fused_attn = False
    relevance = None
    for layer in layers:
        product = LayerGradientXActivation(branch, layer).attribute(shown, target=classes)
        step = product.clamp(min=0).mean(dim=1)
        relevance = torch.eye(step.shape[-1]) if relevance is None else relevance
        relevance = relevance + torch.matmul(step, relevance)
    assert relevance is not None
    prefix = branch.backbone.num_prefix_tokens
    rows = relevance[:, 0] if branch.backbone.global_pool == "token" else relevance[:, prefix:].mean(dim=1)
    side = round((relevance.shape[-1] - prefix) ** 0.5)
    assert_same_map(found, rows[:, prefix:].reshape(-1, side, side).detach())


def assert_same_map(found: torch.Tensor, expected: torch.Tensor) -> None:
    """Compare with a map that has neither the image's size nor its range yet."""
    assert expected.abs().sum() > 0
    full = F.interpolate(expected[:, None], size=found.shape[-2:], mode="bilinear")[:, 0]
    torch.testing.assert_close(found, full / full.flatten(1).amax(dim=1)[:, None, None], atol=1e-4, rtol=1e-3)


def test_a_network_without_classes_is_refused() -> None:
    branch = build_branch(BackboneSpec("test_resnet", image_size=64), seed=0)
    branch.head = None
    with pytest.raises(ModelError, match="without classes"):
        heat_maps(branch, images(), torch.tensor([0, 1]))
