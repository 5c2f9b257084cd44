from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from cass.config.pretrain import PretrainConfig
from cass.errors import CassError
from cass.methods.base import METHODS, Method, build_method
from cass.models.backbones import BackboneSpec, build_branch
from cass.training import batch_size
from cass.training.batch_size import largest_batch


class Small(torch.nn.Module):
    """A method on a device whose memory holds so many images."""

    def __init__(self, inner: Method, most: int) -> None:
        super().__init__()
        self.inner, self.most = inner, most

    def forward(self, views: list[torch.Tensor], rows: torch.Tensor) -> Any:
        if len(views[0]) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return self.inner(views, rows)


@pytest.fixture
def method() -> Method:
    branches = {
        "cnn": build_branch(BackboneSpec(name="test_resnet", image_size=32), seed=0),
        "transformer": build_branch(BackboneSpec(name="test_vit", image_size=32), seed=1),
    }
    return build_method(METHODS.find("cass", "cosine"), {"width": 8}, branches)


def find(
    method: Method, monkeypatch: pytest.MonkeyPatch, *, most: int, images: int = 1000, **settings: Any
) -> int:
    config = PretrainConfig(data="x", out=Path("x"), image_size=32, device="cpu", **settings)

    class Device:
        """A CPU that calls itself a GPU."""

        type = "cuda"

    real = torch.device("cpu")
    monkeypatch.setattr(batch_size, "torch_device", lambda _: Device())
    fits = batch_size._fits
    monkeypatch.setattr(batch_size, "_fits", lambda *a, **k: fits(*a, **{**k, "device": real}))
    return largest_batch(Small(method, most), config, num_views=1, images=images, processes=1)  # type: ignore[arg-type]


@pytest.mark.parametrize(("most", "found"), [(8, 8), (31, 16), (40, 32)])
def test_the_largest_power_of_two_that_fits(
    method: Method, monkeypatch: pytest.MonkeyPatch, most: int, found: int
) -> None:
    before = {name: value.clone() for name, value in method.state_dict().items()}
    assert find(method, monkeypatch, most=most) == found
    assert all(torch.equal(value, before[name]) for name, value in method.state_dict().items())
    assert all(parameter.grad is None for parameter in method.parameters())


def test_no_more_than_there_are_images_and_parts_count(method: Method, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find(method, monkeypatch, most=1000, images=20) == 16
    assert find(method, monkeypatch, most=8, accumulate=4) == 32


def test_a_gpu_too_small_is_told_in_one_line(method: Method, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CassError, match="--gradient-checkpointing"):
        find(method, monkeypatch, most=4)


def test_a_processor_takes_sixteen(method: Method) -> None:
    config = PretrainConfig(data="x", out=Path("x"), device="cpu", batch_size="auto")
    assert largest_batch(method, config, num_views=1, images=100, processes=1) == 16
