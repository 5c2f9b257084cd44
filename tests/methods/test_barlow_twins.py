from __future__ import annotations

import pytest
import torch

from learners import learner, views


def test_loss_makes_the_cross_correlation_the_identity() -> None:
    own = learner("barlow_twins", width=16).eval()
    batch = views(32, 32)
    with torch.no_grad():
        a, b = (own.projector(own.branch.embed(view)).double() for view in batch)
        a, b = ((z - z.mean(dim=0)) / (z.var(dim=0, unbiased=False) + 1e-5).sqrt() for z in (a, b))
        correlation = a.T @ b / len(a)
        diagonal = correlation.diagonal()
        off = correlation.square().sum() - diagonal.square().sum()
        expected = (diagonal - 1).square().sum() + 0.005 * off
        assert own(batch).item() == pytest.approx(float(expected), rel=1e-4)
