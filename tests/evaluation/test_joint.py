from __future__ import annotations

import numpy as np
import pytest

from cass.evaluation.joint import joint_embeddings


def test_each_branch_is_centred_by_column_and_scaled_as_a_whole() -> None:
    values = np.array([[1.0, 10.0], [3.0, 14.0]], np.float32)
    joined = joint_embeddings({"cnn": values, "transformer": 0.01 * values + 3})
    # Centred: (-1, -2) and (1, 2), of the squared norm 5.
    expected = np.array([[-1, -2], [1, 2]]) / np.sqrt(5)
    assert joined[:, :2] == pytest.approx(expected)
    assert joined[:, 2:] == pytest.approx(expected, abs=1e-4)


def test_a_branch_that_is_the_same_for_all_images_adds_nothing() -> None:
    assert not joint_embeddings({"cnn": np.ones((4, 2), np.float32)}).any()
