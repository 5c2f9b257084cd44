from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cass.evaluation.collapse import Reading, between_image_share, effective_rank, spread, verdict


def test_spread_is_zero_for_one_point_and_near_one_for_an_even_sphere() -> None:
    assert spread(torch.ones(50, 16)) == pytest.approx(0.0, abs=1e-9)
    torch.manual_seed(0)
    assert spread(torch.randn(5000, 64)) == pytest.approx(1.0, abs=0.01)


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 8))
def test_effective_rank_counts_equal_directions(directions: int) -> None:
    basis = torch.zeros(16, 8)
    for index in range(directions):
        basis[2 * index, index], basis[2 * index + 1, index] = 1.0, -1.0
    assert effective_rank(basis[: 2 * directions] + 5.0) == pytest.approx(directions, rel=1e-6)


def test_effective_rank_ignores_a_common_mean() -> None:
    torch.manual_seed(0)
    points = torch.randn(100, 10)
    assert effective_rank(points + 100.0) == pytest.approx(effective_rank(points), rel=1e-6)


def test_between_image_share_tells_images_from_augmentations() -> None:
    torch.manual_seed(0)
    images, noise = torch.randn(400, 32), [torch.randn(400, 32) for _ in range(2)]
    assert between_image_share(images, images) == pytest.approx(1.0)
    assert between_image_share(*noise) == pytest.approx(0.0, abs=0.06)
    assert between_image_share(images + noise[0], images + noise[1]) == pytest.approx(0.5, abs=0.06)


START = Reading(spread=0.354, effective_rank=162, between_image_share=0.9, knn_balanced_accuracy=0.80)


@pytest.mark.parametrize(
    ("now", "collapsed"),
    [
        (Reading(0.004, 143, 0.9, 0.62), True),  # the published recipe: spread and the probe fall
        (Reading(0.020, 54, 0.9, 0.64), True),  # the published loss at 1e-4: rank falls as well
        (Reading(0.028, 148, 0.88, 0.79), False),  # only a large common mean
        (Reading(0.472, 10, 0.9, 0.64), True),  # spread kept, but in a few directions that tell less
        (Reading(0.0005, 150, 0.9, 0.80), True),  # a constant output
        (Reading(0.553, 46, 0.9, 0.82), False),  # fewer directions that tell more
        (START, False),
    ],
)
def test_verdict_weighs_all_measures(now: Reading, collapsed: bool) -> None:
    judged = verdict(START, now, chance=1 / 3, images=100)
    assert judged.collapsed is collapsed
    assert f"{now.spread:.3f}" in judged.reason
    assert bool(judged.advice) is collapsed


def test_verdict_without_labels_uses_rank_and_share() -> None:
    start = Reading(0.64, 40, 0.9, math.nan)
    assert verdict(start, Reading(0.02, 12, 0.9, math.nan), chance=0.5, images=100).collapsed
    assert verdict(start, Reading(0.02, 38, 0.5, math.nan), chance=0.5, images=100).collapsed
    assert not verdict(start, Reading(0.05, 38, 0.88, math.nan), chance=0.5, images=100).collapsed


BLANK = Reading(0.0004, 3, 0.02, 0.34)


@pytest.mark.parametrize(
    ("start", "now", "images", "state"),
    [
        (BLANK, BLANK, 100, "NEVER INFORMATIVE"),  # a deep network that random weights make constant
        (BLANK, START, 100, "no collapse"),  # it has learned
        (Reading(0.3, 40, 0.9, 0.33), Reading(0.3, 8, 0.5, 0.33), 100, "NEVER INFORMATIVE"),  # a probe at chance
        (Reading(0.3, 40, 0.9, 0.33), Reading(0.0001, 8, 0.5, 0.33), 100, "COLLAPSED"),
        (START, Reading(0.004, 3, 0.9, math.nan), 6, "TOO FEW IMAGES"),
        (START, START, 6, "TOO FEW IMAGES"),
        (Reading(0.031, 4, 0.06, math.nan), Reading(0.094, 4, 0.0, math.nan), 5, "TOO FEW IMAGES"),  # noise
        (START, BLANK, 6, "COLLAPSED"),  # a constant output needs no statistics
    ],
)
def test_a_fall_is_told_from_what_never_was(start: Reading, now: Reading, images: int, state: str) -> None:
    judged = verdict(start, now, chance=1 / 3, images=images)
    assert judged.state == state
    assert bool(judged.advice) is (state != "no collapse")
    assert judged.collapsed is (state == "COLLAPSED")


def test_measures_by_hand() -> None:
    square = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    assert effective_rank(square) == pytest.approx(2.0)
    tilted = torch.tensor([[3.0, 1.0], [1.0, 1.0], [2.0, 4.0]])
    values = torch.linalg.svdvals(tilted - tilted.mean(dim=0)).double()
    shares = values / values.sum()
    assert effective_rank(tilted) == pytest.approx(float(torch.exp(-(shares * shares.log()).sum())))
    assert effective_rank(torch.full((4, 3), 7.0)) == 1.0
    # Images at 0 and 90 degrees, each seen twice, 20 degrees apart.
    angles = torch.tensor([[-10.0, 80.0], [10.0, 100.0]]).deg2rad()
    first, second = (torch.stack([turn.cos(), turn.sin()], dim=1) for turn in angles)
    both = torch.cat([first, second])
    total = float((both - both.mean(dim=0)).square().sum(dim=1).mean())
    within = (2 - 2 * math.cos(math.radians(20))) / 2
    assert between_image_share(3 * first, 5 * second) == pytest.approx(1 - within / total, abs=1e-6)
    assert between_image_share(torch.ones(5, 2), torch.ones(5, 2)) == 0.0


def reading(spread: float, rank: float, share: float = 0.9, knn: float = math.nan) -> Reading:
    return Reading(spread, rank, share, knn)


@pytest.mark.parametrize(
    ("start", "now", "collapsed"),
    [
        (reading(0.4, 40), reading(0.0999, 19), True),  # narrow, and half of the rank is lost
        (reading(0.4, 40), reading(0.1, 19), False),  # just not narrow
        (reading(0.3, 40), reading(0.08, 19), False),  # narrow, but not against the start
        (reading(0.4, 40), reading(0.09, 20), False),  # just half of the rank
        (reading(0.4, 40), reading(0.4, 9), False),  # a rank below a quarter alone
        (reading(0.4, 40), reading(0.4, 9, 0.71), True),  # with the share fallen below 0.8 of its start
        (reading(0.4, 40), reading(0.4, 9, 0.73), False),
        (reading(0.4, 40), reading(0.4, 11, 0.5), False),  # the share alone
        (reading(0.4, 40, 0.9, 0.8), reading(0.4, 9, 0.9, 0.69), True),  # the probe below 0.8 of its gain: 0.7
        (reading(0.4, 40, 0.9, 0.8), reading(0.4, 9, 0.9, 0.71), False),
        (reading(0.4, 40, 0.9, 0.8), reading(0.4, 9, 0.9, math.nan), False),
        (reading(0.4, 40), reading(0.4, 40, 0.049), True),
        (reading(0.4, 40), reading(0.4, 40, 0.051), False),
    ],
)
def test_the_bounds_of_the_verdict(start: Reading, now: Reading, collapsed: bool) -> None:
    assert verdict(start, now, chance=0.3, images=100).collapsed is collapsed


def test_few_images_are_those_below_twenty() -> None:
    fallen = reading(0.004, 3)
    assert verdict(START, fallen, chance=0.3, images=20).state == "COLLAPSED"
    judged = verdict(START, fallen, chance=0.3, images=19)
    assert judged.state == "TOO FEW IMAGES"
    assert judged.reason == (
        "19 images; spread 0.354 -> 0.004, effective rank 162 -> 3, between-image share 0.90 -> 0.90"
    )


def test_the_reason_names_every_measure() -> None:
    judged = verdict(START, BLANK, chance=1 / 3, images=100)
    assert judged.reason == (
        "spread 0.354 -> 0.000, effective rank 162 -> 3, between-image share 0.90 -> 0.02, "
        "kNN balanced accuracy 0.800 -> 0.340"
    )
    assert verdict(BLANK, BLANK, chance=1 / 3, images=100).reason.startswith("spread 0.000 -> 0.000")
    assert verdict(START, START, chance=1 / 3, images=100).advice == ""
    assert START.to_dict() == {
        "spread": 0.354,
        "effective_rank": 162,
        "between_image_share": 0.9,
        "knn_balanced_accuracy": 0.8,
    }
