from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from cass.models.backbones import BackboneSpec, build_branch
from cass.training import compiling
from cass.training.compiling import MEASURED, WARM_UP, CompileTrial


class Clock:
    """Says the seconds that a step takes: as many as told, fewer where the backbone is compiled."""

    def __init__(self, module: torch.nn.Module, *, plain: float, compiled: float) -> None:
        self.module, self.plain, self.compiled, self.now = module, plain, compiled, 0.0

    def perf_counter(self) -> float:
        return self.now

    def step(self) -> None:
        self.now += self.compiled if is_compiled(self.module) else self.plain


def is_compiled(module: Any) -> bool:
    return module.branch.backbone._compiled_call_impl is not None


@pytest.fixture
def module() -> Any:
    holder = torch.nn.Module()
    holder.branch = build_branch(BackboneSpec(name="test_vit", image_size=32), seed=0)
    holder.device = torch.device("cpu")
    return holder


def run(trial: CompileTrial, module: Any, clock: Clock, *, steps: int) -> None:
    trainer: Any = SimpleNamespace(
        strategy=SimpleNamespace(root_device=torch.device("cpu")),
        estimated_stepping_batches=steps,
        global_step=20,
    )
    trial.on_train_start(trainer, module)
    for _ in range(2 * (WARM_UP + MEASURED) + 1):
        trial.on_train_batch_start(trainer)
        clock.step()
        trial.on_train_batch_end(trainer, module)


@pytest.mark.parametrize(
    ("compiled", "steps", "kept"),
    [(0.8, 100_000, True), (0.99, 100_000, False), (1.5, 100_000, False), (0.5, 1000, False)],
)
def test_auto_keeps_what_is_faster_in_runs_that_are_long(
    module: Any, monkeypatch: pytest.MonkeyPatch, compiled: float, steps: int, kept: bool
) -> None:
    clock = Clock(module, plain=1.0, compiled=compiled)
    monkeypatch.setattr(compiling, "time", clock)
    trial = CompileTrial("auto")
    run(trial, module, clock, steps=steps)
    assert is_compiled(module) == kept
    assert trial.state_dict() == {"state": "compiled" if kept else "plain"}


def test_on_and_off_settle_it_and_a_continued_run_keeps_its_decision(module: Any) -> None:
    trainer: Any = SimpleNamespace()
    CompileTrial("off").on_train_start(trainer, module)
    assert not is_compiled(module)
    resumed = CompileTrial("auto")
    resumed.load_state_dict({"state": "compiled"})
    resumed.on_train_start(trainer, module)
    assert is_compiled(module)


@pytest.mark.slow
def test_a_compiled_branch_computes_the_same(module: Any) -> None:
    images = torch.rand(2, 3, 32, 32)
    before = module.branch.eval()(images)
    CompileTrial("on").on_train_start(SimpleNamespace(), module)  # type: ignore[arg-type]
    torch.testing.assert_close(module.branch(images), before, rtol=1e-4, atol=1e-5)
