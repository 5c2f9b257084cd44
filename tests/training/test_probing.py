from __future__ import annotations

import numpy as np
import torch
from torch import nn

from cass.evaluation.probe import fit_probe
from cass.training.probing import fold_temperature, head_of


def test_the_head_is_the_probe() -> None:
    rng = np.random.default_rng(0)
    x, targets = rng.normal(5, 3, (40, 8)).astype(np.float32), np.eye(3, dtype=np.uint8)[np.arange(40) % 3]
    probe = fit_probe(x, targets, validation=x, validation_targets=targets, task="multiclass")
    head = head_of(probe)
    np.testing.assert_allclose(head(torch.from_numpy(x)).detach().numpy(), probe.logits(x), atol=1e-5)


def test_a_temperature_divides_the_logits() -> None:
    head, x = nn.Linear(4, 3), torch.randn(5, 4)
    before = head(x).detach()
    fold_temperature(head, 2.5)
    torch.testing.assert_close(head(x).detach(), before / 2.5)
