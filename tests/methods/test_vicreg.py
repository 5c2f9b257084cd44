from __future__ import annotations

import pytest
import torch

from learners import learner, views


def test_loss_weighs_invariance_variance_and_covariance() -> None:
    own = learner("vicreg", width=16).eval()
    batch = views(32, 32)
    with torch.no_grad():
        a, b = (own.projector(own.branch.embed(view)).double() for view in batch)
        expected = 25 * (a - b).square().mean()
        for z in (a, b):
            expected += 25 / 2 * (1 - (z.var(dim=0) + 1e-4).sqrt()).clamp(min=0).mean()
            covariance = torch.cov(z.T)
            expected += (covariance - torch.diag(covariance.diagonal())).square().sum() / 16
        assert own(batch).item() == pytest.approx(float(expected), rel=1e-4)
