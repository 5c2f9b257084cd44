from __future__ import annotations

import pytest
import torch

from learners import check_follower, cosine_distance, learner, views


def test_loss_compares_predictions_with_the_target() -> None:
    own = learner("byol", hidden=32).eval()
    first, second = views(32, 32)
    with torch.no_grad():
        own.projector.layers[0].weight.add_(0.01)  # target and online network differ
        p, q = (own.predictor(own.projector(own.branch.embed(view))) for view in (first, second))
        a, b = (own.target_projector(own.target.embed(view)) for view in (first, second))
        expected = (cosine_distance(p, b) + cosine_distance(q, a)) / 2
        assert own([first, second]).item() == pytest.approx(expected, rel=1e-5)


def test_the_target_follows() -> None:
    own = learner("byol", hidden=32)
    own(views(32, 32)).backward()
    check_follower(own.branch, own.target, own, momentum=0.996)
    check_follower(own.projector, own.target_projector, own, momentum=0.996)
    assert own.exported() is own.branch
