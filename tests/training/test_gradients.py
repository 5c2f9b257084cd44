from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from cass.errors import CassError
from cass.training.gradients import EXPLODED, FIRST_STEPS, GROWTH, GradientWatch, gradient_cautions


class Run:
    """A module whose gradient has a norm of our choice in each step."""

    def __init__(self, watch: GradientWatch) -> None:
        self.watch, self.step, self.logged = watch, 0, dict[str, float]()
        self.weights = [torch.nn.Parameter(torch.zeros(4)), torch.nn.Parameter(torch.zeros(2))]

    def parameters(self) -> list[torch.nn.Parameter]:
        return self.weights

    def log(self, name: str, value: float) -> None:
        self.logged[name] = value

    def train(self, *norms: float) -> Any:
        for norm in norms:
            self.weights[0].grad = torch.tensor([norm, 0, 0, 0])
            self.watch.on_before_optimizer_step(SimpleNamespace(global_step=self.step), self, None)  # type: ignore
            self.step += 1
        return self

    def end_epoch(self) -> float:
        self.watch.on_train_epoch_end(SimpleNamespace(global_step=self.step), self)  # type: ignore
        return self.logged[GROWTH]


def test_growth_is_a_multiple_of_the_first_steps(caplog: pytest.LogCaptureFixture) -> None:
    run = Run(GradientWatch())
    with caplog.at_level(logging.WARNING, "cass"):
        assert run.train(*[2.0] * (FIRST_STEPS - 1), 4.0).end_epoch() == 1
        assert run.train(1.0, 0.5 * EXPLODED, 1.0).end_epoch() == pytest.approx(EXPLODED / 8)
        assert not caplog.records
        assert run.train(8 * EXPLODED, 9 * EXPLODED).end_epoch() == pytest.approx(2.25 * EXPLODED)
        assert run.train(1.0).end_epoch() == 0.25  # of this epoch alone
        run.train(8 * EXPLODED)
    assert [record.getMessage() for record in caplog.records] == [
        "The gradients grew to 200 times their size in the first 10 steps; training may have diverged. Lower --lr."
    ]


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
def test_gradients_that_are_not_finite_stop_the_run(broken: float) -> None:
    run = Run(GradientWatch()).train(1.0, 1.0)
    with pytest.raises(CassError, match=f"The gradients are {broken} at step 2. Lower --lr"):
        run.train(broken)


def test_a_run_without_gradients_has_not_grown() -> None:
    assert Run(GradientWatch()).train(*[0.0] * 20).end_epoch() == 0


def test_a_resumed_run_remembers_the_first_steps() -> None:
    first = Run(GradientWatch()).train(*[1.0] * FIRST_STEPS)
    again = GradientWatch()
    again.load_state_dict(first.watch.state_dict())
    assert Run(again).train(50.0).end_epoch() == 50


def test_the_caution_names_the_worst_epoch() -> None:
    assert gradient_cautions([]) == []
    assert gradient_cautions([{"epoch": 0}, {GROWTH: EXPLODED}]) == []
    (caution,) = gradient_cautions([{GROWTH: 120.0}, {GROWTH: 310.4}, {GROWTH: 1.0}], prefix="cnn: ")
    assert caution["code"] == "exploding-gradients"
    assert caution["message"].startswith("cnn: The gradients grew to 310 times their size")
