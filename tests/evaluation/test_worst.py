from __future__ import annotations

import numpy as np

from cass.evaluation.worst import MOST_ERRORS, worst_errors


def test_the_most_certain_errors_come_first() -> None:
    targets = np.eye(2, dtype=np.uint8)[[0, 0, 1, 1, 0]]
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.95, 0.05], [0.4, 0.6]])
    predicted = (probabilities > 0.5).astype(np.uint8)
    assert worst_errors(probabilities, targets, predicted) == [3, 1, 2, 4]
    assert worst_errors(probabilities, targets, targets) == []


def test_equal_errors_keep_their_order_and_twelve_are_the_most() -> None:
    targets = np.zeros((40, 1), np.uint8)
    certain = np.full((40, 1), 0.75)
    certain[::2] = 0.5
    found = worst_errors(certain, targets, np.ones((40, 1), np.uint8))
    assert found == list(range(1, 2 * MOST_ERRORS, 2))


def test_one_wrong_label_of_several_is_an_error() -> None:
    targets = np.array([[1, 0], [1, 0]], np.uint8)
    predicted = np.array([[1, 1], [1, 0]], np.uint8)
    assert worst_errors(np.array([[0.9, 0.7], [0.9, 0.2]]), targets, predicted) == [0]
