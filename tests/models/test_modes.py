from __future__ import annotations

import pytest
from torch import nn

from cass.models.modes import evaluation_mode, freeze_batch_norms


def network() -> nn.Sequential:
    return nn.Sequential(nn.BatchNorm1d(2), nn.Dropout(), nn.BatchNorm1d(2), nn.BatchNorm1d(2, affine=False))


def test_every_part_gets_its_own_mode_back() -> None:
    net = network()
    net[1].eval()
    with evaluation_mode(net):
        assert not any(part.training for part in net.modules())
    assert [part.training for part in net] == [True, False, True, True]


@pytest.mark.parametrize(
    ("only_untrained", "modes"), [(False, [False, True, False, False]), (True, [False, True, True, True])]
)
def test_batch_norms_are_frozen_and_nothing_else(only_untrained: bool, modes: list[bool]) -> None:
    net = network()
    net[0].requires_grad_(False)
    freeze_batch_norms(net, only_untrained=only_untrained)
    assert [part.training for part in net] == modes
