from __future__ import annotations

import math

import pytest
import torch

from learners import learner, views


def test_loss_weighs_the_gaussian_and_the_invariance() -> None:
    own = learner("lejepa", regularization=0.2).eval()
    batch = views(32, 32, 16, 16)
    with torch.no_grad():
        outputs = torch.stack([own.projector(own.branch.embed(view)).double() for view in batch])
        invariance = (outputs - outputs[:2].mean(dim=0)).square().mean()
        torch.manual_seed(5)
        slices = torch.randn(outputs.shape[-1], 1024)
        along = (outputs.float() @ (slices / slices.norm(dim=0))).double()  # (V, B, slices)
        knots = torch.linspace(0, 3, 17, dtype=torch.float64)
        gaussian = torch.exp(-knots.square() / 2)
        turned = along.unsqueeze(-1) * knots
        error = (turned.cos().mean(dim=1) - gaussian).square() + turned.sin().mean(dim=1).square()
        statistic = 2 * torch.trapezoid(error * gaussian, knots, dim=-1) * along.shape[1]
        torch.manual_seed(5)
        assert own(batch).item() == pytest.approx(float(0.2 * statistic.mean() + 0.8 * invariance), rel=1e-3)
    assert math.isfinite(own(views(32, 32)).item())  # without small views
