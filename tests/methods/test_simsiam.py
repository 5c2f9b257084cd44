from __future__ import annotations

import pytest
import torch

from learners import cosine_distance, learner, views


def test_loss_compares_predictions_with_projections() -> None:
    own = learner("simsiam", width=32).eval()
    batch = views(32, 32)
    with torch.no_grad():
        a, b = (own.projector(own.branch.embed(view)) for view in batch)
        expected = (cosine_distance(own.predictor(a), b) + cosine_distance(own.predictor(b), a)) / 2
        assert own(batch).item() == pytest.approx(expected, rel=1e-5)


def test_no_gradient_passes_through_what_is_predicted() -> None:
    own = learner("simsiam", width=32)
    torch.nn.init.zeros_(own.predictor.layers[-1].weight)  # predictions that no longer depend on the image
    own(views(32, 32)).backward()
    assert all(float(parameter.grad.abs().max()) < 1e-9 for parameter in own.branch.backbone.parameters())
