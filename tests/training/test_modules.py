"""The published code's faults in training, each with a test that fails where it comes back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint

from cass.config.pretrain import PretrainConfig
from cass.data.store.dataset import StoredImages
from cass.data.store.store import ImageStore
from cass.errors import CassError
from cass.methods.base import METHODS, Method, build_method
from cass.methods.cass import CASS
from cass.methods.cass_published import CASSPublished
from cass.models.backbones import BackboneSpec, build_branch
from cass.training.averaging import EpochAveraging
from cass.training.engine import Interrupted, fit
from cass.training.modules import PretrainModule, optimization
from cass.transforms.recipes import RECIPES
from cass.transforms.views import build_views


def module(tmp_path: Path, **settings: Any) -> PretrainModule:
    exact = {
        "data": "x",
        "out": tmp_path,
        "batch_size": 8,
        "device": "cpu",
        "precision": "32",
        "objective": "cosine",
    }
    config = PretrainConfig(**exact | settings)
    torch.manual_seed(0)
    # ConvNeXt and ViT have no batch statistics, so a step can be repeated exactly.
    branches = {
        "cnn": build_branch(BackboneSpec(name="test_convnext", image_size=32), seed=0),
        "transformer": build_branch(BackboneSpec(name="test_vit", image_size=32), seed=1),
    }
    method = build_method(METHODS.find("cass", "cosine"), {"width": 16}, branches)
    pixels = np.random.default_rng(0).integers(0, 256, (16, 32, 32, 3), dtype=np.uint8)
    return PretrainModule(
        method,
        config=config,
        images=StoredImages(ImageStore(array=pixels, unreadable={}), range(16)),
        make_views=build_views(RECIPES["paper"]),
        batch_size=int(config.batch_size),
    )


class Recorder(pl.Callback):
    """Keeps each step's gradient beside one computed afresh, and the weights at each epoch's end."""

    def __init__(self) -> None:
        self.gradients: list[tuple[torch.Tensor, torch.Tensor]] = []
        self.epoch_weights: list[torch.Tensor] = []

    def on_train_batch_start(self, trainer: pl.Trainer, module: Any, batch: Any, batch_idx: int) -> None:
        self.views, self.positions = module.views(batch), batch.positions

    def on_after_backward(self, trainer: pl.Trainer, module: Any) -> None:
        weight = probe(module.method)
        (fresh,) = torch.autograd.grad(module.method(self.views, self.positions).loss, weight)
        self.gradients.append((weight.grad.clone(), fresh))

    def on_train_epoch_end(self, trainer: pl.Trainer, module: Any) -> None:
        self.epoch_weights.append(probe(module.method).detach().clone())


class StopBefore(pl.Callback):
    """Stops the run where an epoch begins, as Ctrl-C does."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def on_train_epoch_start(self, trainer: pl.Trainer, module: Any) -> None:
        if trainer.current_epoch == self.epoch:
            raise KeyboardInterrupt


def test_each_image_meets_its_own_target_whatever_the_order_of_the_rows(tmp_path: Path) -> None:
    subject = module(tmp_path, epochs=1)
    rows = np.array([9, 2, 14, 0, 7, 3, 11, 5])
    subject.images = StoredImages(subject.images.images, rows)
    seen: dict[int, int] = {}

    class Spy(pl.Callback):
        def on_train_batch_start(self, trainer: pl.Trainer, module: Any, batch: Any, batch_idx: int) -> None:
            seen.update(zip(batch.rows.tolist(), batch.positions.tolist(), strict=True))

    asked: list[torch.Tensor] = []
    original = subject.method.forward
    subject.method.forward = lambda views, positions: (asked.append(positions), original(views, positions))[1]  # type: ignore[method-assign]
    fit(subject, settings=subject.config, epochs=1, callbacks=[Spy()], logs=tmp_path / "logs")
    assert seen == {int(row): position for position, row in enumerate(rows)}
    assert sorted(torch.cat(asked).tolist()) == list(range(8))


def probe(method: Method) -> torch.nn.Parameter:
    return method.get_parameter("transformer.backbone.blocks.0.mlp.fc1.weight")


def test_gradients_are_zeroed_between_steps(tmp_path: Path) -> None:
    recorder = Recorder()
    subject = module(tmp_path, epochs=1)
    fit(subject, settings=subject.config, epochs=1, callbacks=[recorder], logs=tmp_path / "logs")
    assert len(recorder.gradients) == 2
    for seen, fresh in recorder.gradients:
        torch.testing.assert_close(seen, fresh, rtol=1e-3, atol=1e-6)


def test_the_average_of_the_last_epochs_is_what_stays(tmp_path: Path) -> None:
    recorder, averaging = Recorder(), EpochAveraging(2)
    subject = module(tmp_path, epochs=4)
    fit(subject, settings=subject.config, epochs=4, callbacks=[recorder, averaging], logs=tmp_path / "logs")
    averaging.apply(subject)
    expected = (recorder.epoch_weights[2] + recorder.epoch_weights[3]) / 2
    assert not torch.equal(recorder.epoch_weights[2], recorder.epoch_weights[3])
    torch.testing.assert_close(probe(subject.method).detach(), expected)


def test_the_learning_rate_follows_the_cosine_each_step(tmp_path: Path) -> None:
    class Rates(pl.Callback):
        def __init__(self) -> None:
            self.seen: list[float] = []

        def on_before_optimizer_step(self, trainer: Any, module: Any, optimizer: Any) -> None:
            self.seen.append(optimizer.param_groups[0]["lr"])

    rates = Rates()
    subject = module(tmp_path, epochs=2, lr=1e-3, schedule_steps=2, cnn_rate=1)
    fit(subject, settings=subject.config, epochs=2, callbacks=[rates], logs=tmp_path / "logs")
    assert rates.seen == pytest.approx([1e-3, 5e-4, 0.0, 5e-4])


def test_a_loss_that_is_not_finite_stops_the_run_in_one_line(tmp_path: Path) -> None:
    subject = module(tmp_path, epochs=1)
    with torch.no_grad():
        probe(subject.method).fill_(float("nan"))
    with pytest.raises(CassError, match="Lower --lr"):
        fit(subject, settings=subject.config, epochs=1, callbacks=[], logs=tmp_path / "logs")


def test_a_continued_run_ends_with_the_same_weights(tmp_path: Path) -> None:
    def saving(folder: str) -> ModelCheckpoint:
        return ModelCheckpoint(tmp_path / folder, "last", save_on_train_epoch_end=True)

    whole, first, second = (module(tmp_path, epochs=3) for _ in range(3))
    averagings = [EpochAveraging(1) for _ in range(3)]
    fit(whole, settings=whole.config, epochs=3, callbacks=[averagings[0], saving("a")], logs=tmp_path / "logs")
    with pytest.raises(Interrupted):
        fit(
            first,
            settings=whole.config,
            epochs=3,
            callbacks=[averagings[1], saving("b"), StopBefore(2)],
            logs=tmp_path / "logs",
        )
    fit(
        second,
        settings=whole.config,
        epochs=3,
        callbacks=[averagings[2], saving("c")],
        logs=tmp_path / "logs",
        resume_from=tmp_path / "b" / "last.ckpt",
    )
    for name, value in whole.method.state_dict().items():
        torch.testing.assert_close(second.method.state_dict()[name], value, rtol=0, atol=0, msg=name)


def test_parts_of_a_batch_give_the_step_of_the_whole(tmp_path: Path) -> None:
    whole, parts = module(tmp_path, epochs=1), module(tmp_path, epochs=1, accumulate=2)
    for subject in (whole, parts):
        fit(subject, settings=subject.config, epochs=1, callbacks=[], logs=tmp_path / "logs")
    for name, value in whole.method.state_dict().items():
        found = parts.method.state_dict()[name]
        if name.endswith("attn.qkv.bias"):
            # Attention ignores the bias of the keys: its gradient is rounding, which Adam scales up.
            value, found = (torch.cat([bias.chunk(3)[0], bias.chunk(3)[2]]) for bias in (value, found))
        torch.testing.assert_close(found, value, rtol=0, atol=2e-5, msg=name)


def test_gradient_checkpointing_changes_no_gradient(tmp_path: Path) -> None:
    gradients = []
    for checkpointing in (False, True):
        subject = module(tmp_path, gradient_checkpointing=checkpointing)
        view = torch.rand(8, 3, 32, 32, generator=torch.Generator().manual_seed(0))
        subject.method([view], torch.arange(8)).loss.backward()
        gradients.append(probe(subject.method).grad)
    torch.testing.assert_close(gradients[0], gradients[1])


@pytest.mark.parametrize(
    ("images", "batch_size", "epochs", "share"),
    [
        (16 * 128, 16, 1, 1),
        (16 * 128, 64, 4, 1),
        (16 * 32, 16, 2, 0.5),  # half of 128 steps
        (4 * 128, 4, 1, 0.5),  # the root of a quarter of 16 images
    ],
)
def test_short_runs_and_small_batches_of_a_pretrained_start_have_a_lower_rate(
    images: int, batch_size: int, epochs: int, share: float, tmp_path: Path
) -> None:
    branches = {"cnn": build_branch(BackboneSpec(name="test_convnext", image_size=32), seed=0)}
    branches["transformer"] = build_branch(BackboneSpec(name="test_vit", image_size=32), seed=1)

    def rate(kind: str = "joint", **settings: Any) -> float:
        config = PretrainConfig(data="x", out=tmp_path, epochs=epochs, **settings)
        method = build_method(METHODS.find("cass", kind), {}, branches)
        return optimization(config, method, batch_size=batch_size, images=images).lr

    full = rate()  # randomly initialised
    assert full == CASS.optimization.lr
    branches["cnn"].spec = replace(branches["cnn"].spec, weights="imagenet")
    assert rate() == pytest.approx(share * full)
    assert rate(lr=0.002) == 0.002
    assert rate("cosine") == pytest.approx(share * CASSPublished.optimization.lr)


def test_the_targets_of_a_run_are_kept_in_its_checkpoints(tmp_path: Path) -> None:
    """Computed again on another machine, the signs of their axes could differ."""
    subject = module(tmp_path, epochs=1)
    subject.method = build_method(METHODS.find("cass"), {"width": 8}, subject.method.branches())
    embeddings = {name: torch.randn(16, part.num_features) for name, part in subject.method.branches().items()}
    subject.method.begin(embeddings, lambda: torch.randn(16, 20))
    checkpoint: dict[str, Any] = {}
    subject.on_save_checkpoint(checkpoint)
    kept = {name: value.clone() for name, value in subject.method.start_state().items()}
    assert kept
    subject.method.load_start_state({name: -value for name, value in kept.items()})
    subject.on_load_checkpoint(checkpoint)
    assert all(torch.equal(value, kept[name]) for name, value in subject.method.start_state().items())
