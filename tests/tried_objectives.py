"""Objectives on tiny networks and eight images: are they learned at all?"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from cass.config.base import build_config
from cass.methods import Method
from cass.models.backbones import BackboneSpec, build_branch

POSITIONS = torch.arange(8)


def build(kind: type[Method], *, pretrained: bool = False) -> Any:
    torch.manual_seed(0)
    branches = {
        name: build_branch(BackboneSpec(network, image_size=32), seed=1)
        for name, network in (("cnn", "test_resnet"), ("transformer", "test_vit"))
    }
    for branch in branches.values():
        branch.spec = replace(branch.spec, weights="file" if pretrained else "none")
    method = kind(build_config(kind.Config, {"width": 6}), branches)
    start = torch.Generator().manual_seed(2)
    embeddings = {name: torch.randn(8, part.num_features, generator=start) for name, part in branches.items()}
    method.begin(embeddings, lambda: torch.randn(8, 20, generator=start))
    return method.train()


def losses(method: Any, *, steps: int) -> list[float]:
    drawn = torch.rand(method.num_views, 8, 3, 32, 32, generator=torch.Generator().manual_seed(3))
    optimizer = torch.optim.Adam([part for part in method.parameters() if part.requires_grad], lr=1e-3)
    found = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = method(list(drawn), POSITIONS).loss
        loss.backward()
        optimizer.step()
        found.append(float(loss.detach()))
    return found
