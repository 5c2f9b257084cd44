from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from cass.evaluation.probabilities import probabilities
from cass.training.losses import class_weights, classification_loss


def one_hot(labels: list[int], classes: int = 3) -> torch.Tensor:
    return F.one_hot(torch.tensor(labels), classes).float()


def test_rare_classes_weigh_more_than_frequent_ones() -> None:
    weights = class_weights(one_hot([0] * 6 + [1] * 3 + [2]), task="multiclass")
    assert weights.tolist() == pytest.approx([10 / 18, 10 / 9, 10 / 3])


def test_rare_labels_weigh_more_in_multilabel_sets() -> None:
    weights = class_weights(torch.tensor([[1.0, 1], [1, 0], [1, 0], [0, 0]]), task="multilabel")
    assert weights.tolist() == pytest.approx([1 / 3, 3.0])


def test_focal_loss_is_scaled_cross_entropy() -> None:
    logits, targets = torch.randn(5, 3), one_hot([0, 1, 2, 1, 0])
    plain = F.cross_entropy(logits, targets.argmax(1), reduction="none")
    p = logits.softmax(1).gather(1, targets.argmax(1, keepdim=True)).squeeze(1)
    focal = classification_loss(logits, targets, loss="focal", task="multiclass", alpha=0.5, gamma=2.0)
    torch.testing.assert_close(focal, 0.5 * (1 - p) ** 2 * plain)
    same = classification_loss(logits, targets, loss="focal", task="multiclass", gamma=0.0)
    torch.testing.assert_close(same, plain)


def test_class_weights_scale_the_loss_of_their_class() -> None:
    logits, targets = torch.randn(3, 3), one_hot([0, 1, 2])
    plain = classification_loss(logits, targets, loss="cross_entropy", task="multiclass")
    weighted = classification_loss(
        logits, targets, loss="cross_entropy", task="multiclass", weights=torch.tensor([1.0, 2.0, 5.0])
    )
    torch.testing.assert_close(weighted, plain * torch.tensor([1.0, 2.0, 5.0]))


def test_multilabel_loss_is_binary_cross_entropy_of_each_label() -> None:
    logits, targets = torch.randn(4, 2), torch.tensor([[1.0, 0], [1, 1], [0, 0], [0, 1]])
    expected = F.binary_cross_entropy_with_logits(logits, targets, reduction="none").mean(1)
    for loss in ("bce", "cross_entropy"):
        torch.testing.assert_close(classification_loss(logits, targets, loss=loss, task="multilabel"), expected)


def test_probabilities_follow_the_task() -> None:
    logits = torch.tensor([[2.0, -1.0]])
    assert probabilities(logits, task="multiclass").sum().item() == pytest.approx(1.0)
    torch.testing.assert_close(probabilities(logits, task="multilabel"), logits.sigmoid())
