"""Gradients of every method against small differences of its loss, in float64."""

from __future__ import annotations

import copy

import pytest
import torch

from cass.methods import Method
from cass.methods.cass import cass_loss
from cass.methods.cass_neighbours import neighbours_loss
from contract.test_methods import KINDS, POSITIONS, build, views

STEP = 1e-4
"""Some losses are computed in float32, so that smaller steps would drown in rounding."""

STOPPED = ("simsiam", "swav")
"""Their targets are made of the same outputs, without a gradient: the slope of the loss is another one."""


def loss_at(method: Method, name: str, direction: dict[str, torch.Tensor], step: float) -> torch.Tensor:
    """Compute the loss of a copy whose parameters are moved along a direction."""
    moved = copy.deepcopy(method)
    with torch.no_grad():
        for key, parameter in moved.named_parameters():
            if key in direction:
                parameter += step * direction[key]
    torch.manual_seed(0)
    loss: torch.Tensor = moved([view.double() for view in views(name)], POSITIONS).loss
    return loss


@pytest.mark.parametrize("name", sorted(set(KINDS) - set(STOPPED)))
def test_the_gradient_is_the_slope_of_the_loss(name: str) -> None:
    method = build(name).double().train()
    torch.manual_seed(0)
    method_once = copy.deepcopy(method)
    method_once([view.double() for view in views(name)], POSITIONS).loss.backward()
    slopes = {key: part.grad for key, part in method_once.named_parameters() if part.grad is not None}
    assert slopes
    generator = torch.Generator().manual_seed(1)
    norm = torch.sqrt(sum((slope.square().sum() for slope in slopes.values()), torch.zeros(())))
    direction = {}
    for key, slope in slopes.items():
        noise = torch.randn(slope.shape, generator=generator, dtype=torch.float64)
        # Half along the gradient, so that there is a slope to see, and half anywhere.
        direction[key] = slope / norm + noise / noise.norm().clamp(min=1e-12) / len(slopes) ** 0.5
    expected = float(sum((slope * direction[key]).sum() for key, slope in slopes.items()))
    with torch.no_grad():
        ahead, behind = (float(loss_at(method, name, direction, step)) for step in (STEP, -STEP))
    assert expected > 0.05
    assert (ahead - behind) / (2 * STEP) == pytest.approx(expected, rel=0.02, abs=5e-3)


def test_the_loss_of_neighbours_passes_the_gradient_check() -> None:
    generator = torch.Generator().manual_seed(0)
    outputs = torch.randn(5, 7, generator=generator, dtype=torch.float64, requires_grad=True)
    bank = torch.nn.functional.normalize(torch.randn(9, 7, generator=generator), dim=1)

    def loss(outputs: torch.Tensor) -> torch.Tensor:
        return neighbours_loss(outputs, bank[:5], bank, temperature=0.1)

    # The loss itself is computed in float32, so that the step is large.
    assert torch.autograd.gradcheck(loss, (outputs,), eps=1e-2, atol=1e-2, rtol=1e-2)


def test_the_published_loss_passes_the_gradient_check() -> None:
    generator = torch.Generator().manual_seed(0)
    first, second = (
        torch.randn(5, 7, generator=generator, dtype=torch.float64, requires_grad=True) for _ in range(2)
    )
    # The loss itself is computed in float32, so that the step is large.
    assert torch.autograd.gradcheck(cass_loss, (first, second), eps=1e-2, atol=1e-3, rtol=1e-2)
