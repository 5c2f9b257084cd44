from __future__ import annotations

import pytest
import torch

from learners import check_follower, learner, unit, views


def test_loss_tells_keys_apart() -> None:
    own = learner("mocov3", hidden=32, temperature=0.5).eval()
    batch = views(32, 32)
    with torch.no_grad():
        queries = [unit(own.predictor(own.projector(own.branch.embed(view)))) for view in batch]
        keys = [unit(own.follower_projector(own.follower.embed(view))) for view in batch]
        expected = 0.0
        for query, key in ((queries[0], keys[1]), (queries[1], keys[0])):
            alike = query @ key.T / 0.5
            expected += float((torch.logsumexp(alike, dim=1) - alike.diagonal()).mean())  # 2 x 0.5 is 1
        assert own(batch).item() == pytest.approx(expected, rel=1e-4)


def test_the_second_encoder_follows_and_patches_stay() -> None:
    own = learner("mocov3", hidden=32)
    own(views(32, 32)).backward()
    assert all(parameter.grad is None for parameter in own.branch.backbone.patch_embed.parameters())
    check_follower(own.branch, own.follower, own, momentum=0.99)
    assert all(parameter.requires_grad for parameter in learner("mocov3", branch="cnn").branch.parameters())
