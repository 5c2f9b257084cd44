from __future__ import annotations

import pytest
import torch
from torch import nn

from cass.training.optim import build_optimizer, cosine_schedule


@pytest.mark.parametrize(("name", "kind"), [("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW)])
def test_groups_have_their_own_rate_and_decay(name: str, kind: type) -> None:
    trained, frozen = nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(2), requires_grad=False)
    groups = [{"params": [trained, frozen], "lr_scale": 0.5, "weight_decay_scale": 0.0}]
    optimizer = build_optimizer(name, groups, lr=0.1, weight_decay=0.2)  # type: ignore[arg-type]
    assert type(optimizer) is kind
    (group,) = optimizer.param_groups
    assert group["params"] == [trained]
    assert (group["lr"], group["weight_decay"]) == (0.05, 0.0)


def test_the_cosine_reaches_zero_after_half_a_period_and_rises_again() -> None:
    optimizer = torch.optim.Adam([nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = cosine_schedule(optimizer, half_period=2)
    seen = []
    for _ in range(4):
        optimizer.step()
        schedule.step()
        seen.append(optimizer.param_groups[0]["lr"])
    assert seen == pytest.approx([0.5, 0.0, 0.5, 1.0])
