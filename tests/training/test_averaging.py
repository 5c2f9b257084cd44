from __future__ import annotations

import pytest

from cass.training.averaging import EpochAveraging, first_averaged_epoch


@pytest.mark.parametrize(
    ("start", "epochs", "first"), [(0.75, 4, 3), (0.75, 100, 75), (0.75, 1, 0), (0.0, 5, 0), (1.0, 5, None)]
)
def test_averaging_always_has_an_epoch(start: float, epochs: int, first: int | None) -> None:
    assert first_averaged_epoch(start, epochs) == first


def test_samples_are_taken_at_the_end_of_the_last_epochs() -> None:
    averaging = EpochAveraging(2)
    assert [averaging.should_update(epoch_idx=epoch) for epoch in range(4)] == [False, False, True, True]
    assert not averaging.should_update(step_idx=7)
