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


@pytest.mark.parametrize(("branch", "layers"), [("cnn", 2), ("transformer", 3)])
def test_heads_have_the_layers_of_the_paper(branch: str, layers: int) -> None:
    """Section 4.2 and appendix: a 3-layer projection head for ViT, 2 layers for ResNet, a 2-layer predictor."""
    own = learner("mocov3", branch=branch, hidden=32)

    def count(head: torch.nn.Module, kind: type[torch.nn.Module]) -> int:
        return sum(isinstance(part, kind) for part in head.modules())

    assert count(own.projector, torch.nn.Linear) == layers
    assert count(own.predictor, torch.nn.Linear) == 2
    assert count(own.projector, torch.nn.BatchNorm1d) == layers
    assert count(own.predictor, torch.nn.BatchNorm1d) == 2
