from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from cass.models.backbones import BackboneSpec, Branch, build_branch
from cass.training.cpu_kernels import fast_cpu_kernels

NETWORKS = {"cnn": "mobilenetv3_small_050", "transformer": "test_vit"}


@pytest.fixture
def branches() -> nn.ModuleDict:
    return nn.ModuleDict(
        {name: build_branch(BackboneSpec(net, image_size=32), seed=0) for name, net in NETWORKS.items()}
    )


def embeddings(branches: nn.ModuleDict) -> list[Tensor]:
    images = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.autocast("cpu", torch.bfloat16):
        return [branch.embed(images).float() for branch in branches.values()]  # type: ignore[operator]


def parts(module: nn.Module) -> tuple[list[nn.Conv2d], list[nn.Module]]:
    """Depthwise convolutions, and attention with a fused kernel."""
    found = list(module.modules())
    depthwise = [part for part in found if isinstance(part, nn.Conv2d) and part.groups > 1]
    return depthwise, [part for part in found if getattr(part, "fused_attn", False)]


def test_other_kernels_are_used_while_training_lasts(branches: nn.ModuleDict) -> None:
    branches.eval()
    plain = embeddings(branches)
    kinds = [type(part) for part in branches.modules()]
    depthwise, attention = parts(branches)
    assert depthwise
    assert attention
    seen: list[torch.dtype] = []
    for part in depthwise:
        part.register_forward_hook(lambda part, given, output: seen.append(output.dtype))
    with fast_cpu_kernels(branches, on=True):
        assert not parts(branches)[1]
        fast = embeddings(branches)
        assert set(seen) == {torch.float32}
        seen.clear()
        twin = copy.deepcopy(branches)  # as averages and teachers are made
        with torch.no_grad():
            for weight in branches.parameters():
                weight.zero_()
        assert all(torch.equal(a, b) for a, b in zip(embeddings(twin), fast, strict=True))
    assert [type(part) for part in branches.modules()] == kinds
    assert len(parts(branches)[1]) == len(attention)
    for a, b in zip(plain, fast, strict=True):
        assert torch.nn.functional.cosine_similarity(a, b).min() > 0.99


def test_kernels_are_restored_after_an_error(branches: nn.ModuleDict) -> None:
    kinds = [type(part) for part in branches.modules()]

    def fail() -> None:
        with fast_cpu_kernels(branches, on=True):
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert [type(part) for part in branches.modules()] == kinds
    assert parts(branches)[1]


def test_gradients_agree(branches: nn.ModuleDict) -> None:
    branches.eval()  # in training, batch norms over four values would amplify every rounding
    gradients = []
    for on in (False, True):
        branches.zero_grad()
        with fast_cpu_kernels(branches, on=on):
            torch.stack([part.square().mean() for part in embeddings(branches)]).sum().backward()
        gradients.append(torch.cat([p.grad.flatten() for p in branches.parameters() if p.grad is not None]))
    assert torch.nn.functional.cosine_similarity(*gradients, dim=0) > 0.98


def test_nothing_is_done_elsewhere_and_long_attention_stays_fused(branches: nn.ModuleDict) -> None:
    _, attention = parts(branches)
    with fast_cpu_kernels(branches, on=False):
        assert len(parts(branches)[1]) == len(attention)
    large: Branch = build_branch(BackboneSpec("test_vit", image_size=512), seed=0)
    with fast_cpu_kernels(large, on=True):
        assert len(parts(large)[1]) == len(attention)
