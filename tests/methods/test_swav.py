from __future__ import annotations

import pytest
import torch

from learners import learner, unit, views

SIDES = (32, 32, 16)


def assignments(scores: torch.Tensor) -> torch.Tensor:
    """Spread images over prototypes evenly, by alternating scaling of rows and columns."""
    shares = torch.exp(scores / 0.05)
    for _ in range(3):
        shares = shares / shares.sum(dim=0, keepdim=True) / shares.shape[1]
        shares = shares / shares.sum(dim=1, keepdim=True) / shares.shape[0]
    return shares * shares.shape[0]


def test_loss_predicts_the_other_views_assignments() -> None:
    own = learner("swav", prototypes=6, queue=0).eval()
    batch = views(*SIDES)
    with torch.no_grad():
        (prototypes,) = own.prototypes.heads
        scores = []
        for view in batch:
            z = unit(own.projector(own.branch.embed(view)))
            scores.append(z @ prototypes.weight.double().T + prototypes.bias.double())
        terms = [
            -(assignments(scores[of]) * torch.log_softmax(scores[by] / 0.1, dim=1)).sum(dim=1).mean()
            for of in range(2)
            for by in range(3)
            if by != of
        ]
        assert own(batch).item() == pytest.approx(float(sum(terms) / len(terms)), rel=1e-3)


def test_the_queue_joins_once_it_is_full_and_prototypes_keep_their_length() -> None:
    own = learner("swav", prototypes=6, queue=12)
    own(views(*SIDES))
    assert int(own.filled) == 8
    first = own.queue.clone()
    own(views(*SIDES))
    torch.testing.assert_close(own.queue[:, 8:], first[:, :4])  # the oldest left
    without = learner("swav", prototypes=6, queue=0)
    without.load_state_dict({**own.state_dict(), "queue": without.queue})
    assert own.eval()(views(*SIDES)).item() != without.eval()(views(*SIDES)).item()
    with torch.no_grad():
        own.prototypes.heads[0].weight.mul_(3)
    own.after_step(0.5)
    torch.testing.assert_close(own.prototypes.heads[0].weight.norm(dim=1), torch.ones(6))
