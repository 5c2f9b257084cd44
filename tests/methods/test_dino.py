from __future__ import annotations

import pytest
import torch

from learners import check_follower, learner, views

SIDES = (32, 32, 16, 16)


def test_loss_is_the_cross_entropy_between_different_views() -> None:
    own = learner("dino", width=64).eval()
    batch = views(*SIDES)
    with torch.no_grad():
        own.head.layers[0].weight.add_(0.01)  # teacher and student differ
        student = [own.head(own.branch.embed(view)).double() for view in batch]
        teacher = [own.teacher_head(own.teacher.embed(view)).double() for view in batch[:2]]
        own.loss.center += 0.3 * torch.randn(64, generator=torch.Generator().manual_seed(0))
        centre = own.loss.center.double().squeeze()
        pairs = [(t, s) for t in range(2) for s in range(4) if s != t]
        expected = sum(
            -(torch.softmax((teacher[t] - centre) / 0.04, dim=1) * torch.log_softmax(student[s] / 0.1, dim=1))
            .sum(dim=1)
            .mean()
            for t, s in pairs
        ) / len(pairs)
        assert own(batch).item() == pytest.approx(float(expected), rel=1e-4)
        moved = 0.9 * centre + 0.1 * torch.cat(teacher).mean(dim=0)
    torch.testing.assert_close(own.loss.center.double().squeeze(), moved, rtol=0, atol=1e-5)


def test_the_teacher_follows_and_is_exported() -> None:
    own = learner("dino", width=64)
    assert own.exported() is own.teacher
    own(views(*SIDES)).backward()
    check_follower(own.branch, own.teacher, own, momentum=0.996)
    check_follower(own.head, own.teacher_head, own, momentum=0.996)
