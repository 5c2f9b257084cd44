from __future__ import annotations

from pathlib import Path

import pytest

from cass.config.base import build_config, to_yaml
from cass.config.compare import CompareConfig
from cass.config.finetune import FinetuneConfig
from cass.config.pretrain import PretrainConfig
from cass.errors import ConfigError

GIVEN = {"data": "scans", "out": "run"}


def test_a_written_configuration_reads_back_equal(tmp_path: Path) -> None:
    for kind in (PretrainConfig, CompareConfig):
        config = build_config(kind, {**GIVEN, "lr": 0.01, "cnn_args": {"depth": 2}})
        (tmp_path / "config.yaml").write_text(to_yaml(config))
        assert build_config(kind, {}, source=tmp_path / "config.yaml") == config


def test_values_given_win_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text("epochs: 7\nlr: 0.5\n")
    config = build_config(PretrainConfig, {**GIVEN, "epochs": 3}, source=tmp_path / "run.yaml")
    assert (config.epochs, config.lr) == (3, 0.5)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("epoch: 3", "did you mean 'epochs'"),
        ("lr: -1", "lr = -1"),
        ("epochs: many", "epochs = 'many'"),
        ("optimizer: sgd", "optimizer = 'sgd'"),
        ("- a\n- b", "no 'key: value' lines"),
        ("lr: [", "not valid YAML"),
    ],
)
def test_mistakes_are_named_in_one_line(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "run.yaml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        build_config(PretrainConfig, GIVEN, source=tmp_path / "run.yaml")
    assert says.lower() in str(caught.value).lower()
    assert "run.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_nested_mistake_is_named_with_its_place() -> None:
    with pytest.raises(ConfigError, match=r"finetune\.epoch.*'epochs'"):
        build_config(CompareConfig, {**GIVEN, "finetune": {"epoch": 3}})


def test_a_missing_file_and_a_missing_value_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no\.yaml"):
        build_config(PretrainConfig, GIVEN, source=tmp_path / "no.yaml")
    with pytest.raises(ConfigError, match="'labels' is missing"):
        build_config(FinetuneConfig, {"run": "a", "out": "b"})


def test_every_setting_is_described() -> None:
    for kind in (PretrainConfig, CompareConfig, FinetuneConfig):
        assert all(field.description for field in kind.model_fields.values())


def test_the_files_that_ship_are_valid() -> None:
    folder = Path(__file__).parents[2] / "configs"
    paper = build_config(PretrainConfig, GIVEN, source=folder / "paper.yaml")
    assert (paper.schedule_steps, paper.lr, paper.epochs, paper.batch_size) == (16, 1e-3, 100, 16)
    assert build_config(CompareConfig, GIVEN, source=folder / "demo.yaml").image_size == 64


def test_the_defaults_are_the_papers() -> None:
    config = PretrainConfig(**GIVEN)  # type: ignore[arg-type]
    assert (config.cnn, config.transformer) == ("resnet50", "vit_base_patch16_224")
    assert (config.epochs, config.batch_size) == (100, 16)
    tuning = FinetuneConfig(run="a", labels="b", out="c")  # type: ignore[arg-type]
    assert (tuning.loss, tuning.focal_alpha, tuning.focal_gamma) == ("focal", 1.0, 2.0)
    assert (tuning.epochs, tuning.patience, tuning.balance) == (50, 5, "weights")
