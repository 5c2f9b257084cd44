from __future__ import annotations

from pathlib import Path

import pytest

from cass.config.speed import SpeedConfig
from cass.errors import ModelError, OutputError
from cass.resolve.speed import resolve_speed

NETWORKS = {"cnn": "test_resnet", "transformer": "test_vit", "image_size": 32, "device": "cpu"}


def test_both_networks_are_known(tmp_path: Path) -> None:
    found = resolve_speed(SpeedConfig(**NETWORKS, json_file=tmp_path / "speed.json"))
    assert [(spec.name, spec.image_size) for spec in found] == [("test_resnet", 32), ("test_vit", 32)]


def test_a_wrong_network_names_its_option() -> None:
    with pytest.raises(ModelError, match=r"--cnn: timm has no model 'test_resnext'"):
        resolve_speed(SpeedConfig(**NETWORKS | {"cnn": "test_resnext"}))


def test_earlier_measurements_are_kept(tmp_path: Path) -> None:
    (tmp_path / "speed.json").write_text("{}")
    with pytest.raises(OutputError, match="--json"):
        resolve_speed(SpeedConfig(**NETWORKS, json_file=tmp_path / "speed.json"))
