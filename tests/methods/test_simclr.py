from __future__ import annotations

import pytest
import torch

from learners import learner, unit, views


def test_loss_tells_an_image_from_the_others() -> None:
    own = learner("simclr", temperature=0.3).eval()
    batch = views(32, 32)
    with torch.no_grad():
        z = torch.cat([unit(own.projector(own.branch.embed(view))) for view in batch])
        alike = z @ z.T / 0.3
        alike.fill_diagonal_(-torch.inf)
        partner = torch.arange(16).roll(8)
        expected = (torch.logsumexp(alike, dim=1) - alike[torch.arange(16), partner]).mean()
        assert own(batch).item() == pytest.approx(float(expected), rel=1e-4)
