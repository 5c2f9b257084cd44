"""Joint targets and fitted heads, against numpy and against leaving images out one by one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cass.evaluation.collapse import effective_rank, spread
from cass.methods import closed_form
from cass.methods.closed_form import RIDGE_PENALTIES, closed_form_head, joint_targets


def draw(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(size=shape)


def reference_targets(parts: list[np.ndarray], *, width: int, power: float) -> Any:
    """The same through a singular value decomposition in float64."""
    columns = []
    for part in parts:
        unit = part / np.linalg.norm(part, axis=1, keepdims=True)
        centred = unit - unit.mean(axis=0)
        columns.append(centred / np.sqrt((centred**2).sum(axis=1).mean()))
    joint = np.concatenate(columns, axis=1)
    left, values, _ = np.linalg.svd(joint, full_matrices=False)
    targets = left[:, :width] * values[:width] ** power
    return targets / np.linalg.norm(targets, axis=1, keepdims=True)


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_targets_are_the_evened_principal_axes_of_both_branches(power: float) -> None:
    parts = [draw(40, 7), draw(40, 5, seed=1) * 30]
    targets = joint_targets([torch.from_numpy(part) for part in parts], width=6, power=power).numpy()
    expected = reference_targets(parts, width=6, power=power)
    # An axis may point either way, so images are compared with one another.
    np.testing.assert_allclose(targets @ targets.T, expected @ expected.T, atol=1e-5)


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 30), st.integers(1, 12), st.integers(0, 1000))
def test_targets_have_unit_length_and_the_width_asked_for(count: int, dims: int, seed: int) -> None:
    targets = joint_targets(
        [torch.from_numpy(draw(count, dims, seed=seed)), torch.from_numpy(draw(count, 3, seed=seed + 1))],
        width=16,
        power=0.5,
    )
    assert targets.shape == (count, 16)
    torch.testing.assert_close(targets.norm(dim=1), torch.ones(count), atol=1e-4, rtol=0)


def test_targets_of_one_sided_embeddings_are_spread() -> None:
    narrow = torch.from_numpy(draw(200, 32)) * 0.01 + 5.0  # nearly one direction
    assert spread(narrow) < 0.1
    targets = joint_targets([narrow, narrow], width=32, power=0.0)
    assert spread(targets) > 0.9
    assert effective_rank(targets) > 25


def ridge(x: np.ndarray, y: np.ndarray, penalty: float, *, scale: np.ndarray, count: int) -> Any:
    """Predict with an intercept and a penalty per image on features of a given scale; returns a function."""
    centre, mean = x.mean(axis=0), y.mean(axis=0)
    z = (x - centre) / scale
    weight = np.linalg.solve(z.T @ z + penalty * count * np.eye(z.shape[1]), z.T @ (y - mean))
    return lambda new: (new - centre) / scale @ weight + mean


@pytest.mark.parametrize(("count", "dims"), [(60, 20), (30, 80)])
def test_head_is_the_ridge_map_of_lowest_leave_one_out_error(count: int, dims: int) -> None:
    x, noise = draw(count, dims), draw(count, 4, seed=1)
    y = x[:, :4] @ draw(4, 4, seed=2) + noise
    weight, bias = closed_form_head(torch.from_numpy(x), torch.from_numpy(y))
    spread = x.std(axis=0, ddof=1)
    scale = spread + 1e-3 * np.sqrt((spread**2).mean())
    errors = {}
    for penalty in RIDGE_PENALTIES:
        errors[penalty] = 0.0
        for i in range(count):
            kept = np.arange(count) != i
            predict = ridge(x[kept], y[kept], penalty, scale=scale, count=count)
            errors[penalty] += ((y[i] - predict(x[i])) ** 2).sum()
    best = min(RIDGE_PENALTIES, key=lambda penalty: errors[penalty])
    expected = ridge(x, y, best, scale=scale, count=count)(x)
    np.testing.assert_allclose(x @ weight.numpy().T + bias.numpy(), expected, atol=1e-4)


def test_with_more_dimensions_than_images_noise_is_not_fitted() -> None:
    weight, bias = closed_form_head(torch.from_numpy(draw(40, 300)), torch.from_numpy(draw(40, 3, seed=1)))
    new = draw(500, 300, seed=2) @ weight.numpy().T + bias.numpy()
    # The least penalty would predict noise with the spread of the targets.
    assert new.std(axis=0).max() < 0.5


def test_blocks_of_rows_give_what_one_block_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = [torch.from_numpy(draw(50, 7)).float(), torch.from_numpy(draw(50, 5, seed=1)).float()]
    targets = joint_targets(parts, width=6, power=0.5)
    weight, bias = closed_form_head(parts[0], targets)
    monkeypatch.setattr(closed_form, "ROW_BLOCK", 8)
    torch.testing.assert_close(joint_targets(parts, width=6, power=0.5), targets)
    again = closed_form_head(parts[0], targets)
    torch.testing.assert_close(again[0], weight)
    torch.testing.assert_close(again[1], bias)


def test_the_largest_part_of_an_axis_is_positive_and_empty_axes_are_zero() -> None:
    part = torch.zeros(6, 3, dtype=torch.float64)
    part[:, 0], part[:, 1] = torch.tensor([1.0, -1, 1, -1, 1, -1]), 0.2 * torch.tensor([1.0, 1, -1, -1, 0, 0])
    targets = joint_targets([part], width=4, power=1.0)
    assert (targets[::2, 0] > 0).all()
    assert (targets[1::2, 0] < 0).all()
    assert not targets[:, 2:].any()
