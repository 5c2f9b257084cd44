"""Small learners of the methods that train a branch by itself, and views for them."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from cass.config.base import build_config
from cass.methods.base import METHODS
from cass.models.backbones import BackboneSpec, build_branch

CNN = BackboneSpec("test_resnet", image_size=32)
TRANSFORMER = BackboneSpec("test_vit", image_size=32, args={"dynamic_img_size": True})


def learner(name: str, *, branch: str = "transformer", **settings: Any) -> Any:
    """Build the learner of a method on one small branch."""
    torch.manual_seed(0)
    kind: Any = METHODS[name]
    network = build_branch(CNN if branch == "cnn" else TRANSFORMER, seed=1)
    method = kind(build_config(kind.Config, settings), {branch: network})
    return method.learners[branch]


def views(*sides: int, count: int = 8) -> list[torch.Tensor]:
    """Draw a batch of random views of each side."""
    generator = torch.Generator().manual_seed(3)
    return [torch.rand(count, 3, side, side, generator=generator) for side in sides]


def unit(outputs: torch.Tensor) -> torch.Tensor:
    """Scale rows to length 1, in float64."""
    return F.normalize(outputs.double(), dim=1)


def cosine_distance(first: torch.Tensor, second: torch.Tensor) -> float:
    """Return the mean negative cosine of rows."""
    return -float((unit(first) * unit(second)).sum(dim=1).mean())


def parameters(module: torch.nn.Module) -> torch.Tensor:
    """Return all parameters in one row."""
    return torch.cat([parameter.detach().flatten() for parameter in module.parameters()])


def check_follower(leader: torch.nn.Module, follower: torch.nn.Module, own: Any, *, momentum: float) -> None:
    """Check that a network moves only after a step, by its momentum, and that no gradient reaches it."""
    before = parameters(follower).clone()
    assert not any(parameter.requires_grad for parameter in follower.parameters())
    with torch.no_grad():
        for parameter in leader.parameters():
            parameter.add_(1.0)
    own.after_step(0.0)
    expected = momentum * before + (1 - momentum) * parameters(leader)
    torch.testing.assert_close(parameters(follower), expected, rtol=0, atol=1e-5)
    own.after_step(1.0)  # at the end the momentum is 1
    torch.testing.assert_close(parameters(follower), expected, rtol=0, atol=1e-5)
