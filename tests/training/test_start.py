from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from cass.config.pretrain import PretrainConfig
from cass.errors import ModelError
from cass.training.start import (
    RANDOM_IMAGES,
    RANDOM_STEPS,
    branch_spec,
    describe_start,
    random_start_cautions,
    start_branch,
    uses_image_statistics,
)


def config(**settings: Any) -> PretrainConfig:
    tiny = {"cnn": "test_resnet", "transformer": "test_vit", "image_size": 32}
    tiny |= {"cnn_weights": "none", "transformer_weights": "none"}
    return PretrainConfig(**{"data": "scans", "out": Path("run")} | tiny | settings)


def test_the_same_configuration_gives_the_same_start() -> None:
    first, second, other = (start_branch(config(seed=seed), "cnn").state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    assert not all(torch.equal(value, other[name]) for name, value in first.items())


def test_a_start_is_described_in_one_line() -> None:
    line = describe_start(config(cnn_weights="imagenet"), ("cnn", "transformer"))
    assert line == "test_resnet from ImageNet weights; test_vit from random initialisation"
    assert branch_spec(config(), "transformer").option == "--transformer"


@pytest.mark.parametrize(
    ("weights", "normalization", "bits", "own"),
    [
        ("none", "auto", 8, True),
        ("imagenet", "auto", 8, False),
        ("imagenet", "auto", 16, True),
        ("imagenet", "data", 8, True),
        ("none", "backbone", 16, False),
    ],
)
def test_pretrained_statistics_are_for_8_bit_images(
    weights: str, normalization: str, bits: int, own: bool
) -> None:
    settings = config(cnn_weights=weights, normalization=normalization)
    assert uses_image_statistics(settings, "cnn", bits=bits) is own


def test_a_transformer_takes_small_views_where_it_can() -> None:
    branch = start_branch(config(), "transformer", several_sizes=True)
    assert branch.embed(torch.rand(1, 3, 16, 16)).shape == branch.embed(torch.rand(1, 3, 32, 32)).shape
    with pytest.raises(ModelError, match=r"images of one size only.*--views paper"):
        start_branch(config(transformer="mixer_s32_224"), "transformer", several_sizes=True)


BOTH = ("cnn", "transformer")


def test_few_images_or_steps_are_few_for_random_weights() -> None:
    enough = config(epochs=-(-RANDOM_STEPS // (RANDOM_IMAGES // 16)))
    assert random_start_cautions(enough, BOTH, images=RANDOM_IMAGES, batch_size=16) == []
    (few,) = random_start_cautions(enough, BOTH, images=RANDOM_IMAGES - 16, batch_size=16)
    assert few["code"] == "few-for-random-start"
    assert f"{RANDOM_IMAGES - 16:,} images and" in few["message"]
    (few,) = random_start_cautions(enough, BOTH, images=RANDOM_IMAGES, batch_size=32)  # half of the steps
    assert f"from {RANDOM_IMAGES:,} images and {RANDOM_STEPS:,} steps on" in few["message"]


def test_a_pretrained_network_is_no_random_start() -> None:
    settings = config(epochs=1, cnn_weights="imagenet")
    assert random_start_cautions(settings, BOTH, images=20, batch_size=16) == []
    assert random_start_cautions(settings, ("transformer",), images=20, batch_size=16) != []
