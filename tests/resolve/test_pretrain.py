from __future__ import annotations

import logging
from pathlib import Path

import pytest

from cass.config.pretrain import PretrainConfig
from cass.errors import ConfigError
from cass.resolve.pretrain import check_training, resolve_method, resolve_pretrain
from conftest import TINY, write_scans


def config(**settings: object) -> PretrainConfig:
    return PretrainConfig(**(TINY | {"data": "scans", "out": Path("new")} | settings))


def test_everything_is_known_without_decoding(tmp_path: Path) -> None:
    settings = config(data=str(write_scans(tmp_path)), out=tmp_path / "new")
    found = resolve_pretrain(settings)
    assert len(found.manifest) == 60
    resolved = found.method
    assert (resolved.kind.__name__, resolved.objective) == ("CASSNeighbours", "neighbours")
    assert resolved.names == ("cnn", "transformer")
    assert resolved.settings.model_dump()["width"] == 32
    assert (resolved.recipe.name, resolved.recipe.num_views) == ("general", 1)
    assert [spec.name for spec in resolved.networks(config())] == ["test_resnet", "test_vit"]


def test_a_recipe_of_one_view_is_drawn_as_often_as_the_method_needs() -> None:
    resolved = resolve_method(config(method="simclr", branch="cnn", method_config={}, views="radiology"))
    assert resolved.names == ("cnn",)
    assert resolved.recipe.num_views == 2


def test_small_views_ask_for_a_transformer_of_any_size() -> None:
    settings = config(method="dino", method_config={})
    _, transformer = resolve_method(settings).networks(settings)
    assert transformer.args == {"dynamic_img_size": True}


def test_the_option_is_named() -> None:
    with pytest.raises(ConfigError, match=r"--method-config: Unknown key 'widht'"):
        resolve_method(config(method_config={"widht": 3}))


def test_a_cnn_and_a_transformer_are_told_apart(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, logger="cass")
    logging.getLogger("cass").propagate = True
    check_training(config())
    check_training(config(transformer="levit_128s", image_size=224))  # attention, but no patches
    assert "are both" not in caplog.text
    with pytest.raises(ConfigError, match="Swap them"):
        check_training(config(cnn="test_vit", transformer="test_resnet"))
    check_training(config(transformer="test_resnet"))
    assert "'test_resnet' and 'test_resnet' are both CNNs" in caplog.text
    check_training(config(cnn="test_vit"))
    assert "are both vision Transformers" in caplog.text
