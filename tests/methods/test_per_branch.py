from __future__ import annotations

import torch

from cass.config.base import build_config
from cass.methods.base import METHODS
from cass.methods.per_branch import by_size, rising_momentum
from cass.models.backbones import build_branch
from learners import CNN, TRANSFORMER, views


def test_a_branch_has_the_same_loss_with_and_without_the_other() -> None:
    kind, losses = METHODS["simclr"], []
    for names in (("cnn", "transformer"), ("cnn",), ("transformer",)):
        torch.manual_seed(0)
        branches = {name: build_branch({"cnn": CNN, "transformer": TRANSFORMER}[name], seed=1) for name in names}
        method = kind(build_config(kind.Config, {}), branches)
        losses.append(method(views(32, 32), torch.arange(8)))
    both, cnn, transformer = losses
    assert both.logs["cnn_loss"] == cnn.loss
    assert both.logs["transformer_loss"] == transformer.loss
    torch.testing.assert_close(both.loss, cnn.loss + transformer.loss)


def test_momentum_rises_to_one_on_a_cosine() -> None:
    momenta = [rising_momentum(0.9, progress) for progress in (0.0, 0.5, 1.0)]
    torch.testing.assert_close(torch.tensor(momenta), torch.tensor([0.9, 0.95, 1.0]), rtol=0, atol=1e-4)


def test_views_of_one_size_go_through_together() -> None:
    passed: list[tuple[int, ...]] = []

    def network(images: torch.Tensor) -> torch.Tensor:
        passed.append(tuple(images.shape))
        return images.mean(dim=(2, 3))

    batch = views(32, 32, 16)
    outputs = by_size(network, batch)
    assert passed == [(16, 3, 32, 32), (8, 3, 16, 16)]
    for view, output in zip(batch, outputs, strict=True):
        torch.testing.assert_close(output, view.mean(dim=(2, 3)))
