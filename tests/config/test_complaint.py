from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, field_validator

from cass.config.base import Settings, build_config
from cass.config.complaint import MissingSetting
from cass.errors import ConfigError


class Inner(Settings):
    epochs: int = Field(3, ge=1)


class Outer(Settings):
    name: str
    size: Annotated[int, Field(ge=2)] | Literal["auto"] = 4
    share: float = Field(0.5, gt=0, le=1)
    ratios: tuple[float, float] = (0.5, 0.5)
    inner: Inner = Inner()

    @field_validator("name")
    @classmethod
    def _short(cls, value: str) -> str:
        if len(value) > 3:
            raise ValueError("give a short name")
        return value


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"size": "abc"}, "size = 'abc' is not accepted. It should be a whole number or 'auto'."),
        ({"size": 1}, "size = 1 is not accepted. It should be at least 2 or 'auto'."),
        ({"share": 0}, "share = 0 is not accepted. It should be above 0."),
        ({"share": "x"}, "share = 'x' is not accepted. It should be a number."),
        ({"ratios": [0.1]}, "ratios = '0.1' is not accepted. It should be a list of the right length."),
        ({"inner": {"epochs": 0}}, "inner.epochs = 0 is not accepted. It should be at least 1."),
        ({"inner": {"epoch": 2}}, "Unknown key 'inner.epoch'. Did you mean 'epochs'?"),
        ({"name": "long name"}, "name = 'long name' is not accepted. Give a short name."),
    ],
)
def test_a_complaint_is_one_line_with_its_fix(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        build_config(Outer, {"name": "a"} | values)
    assert str(caught.value) == message


def test_the_file_or_the_option_is_named(tmp_path: Path) -> None:
    source = tmp_path / "run.yaml"
    source.write_text("name: a\nsize: x\n")
    with pytest.raises(ConfigError, match=r"size = 'x' in .*run\.yaml is not accepted"):
        build_config(Outer, {"share": 0.1}, source=source, name_of=lambda name: f"--{name}")
    with pytest.raises(ConfigError, match=r"^--size y is not accepted"):
        build_config(Outer, {"size": "y"}, source=source, name_of=lambda name: f"--{name}")


def test_a_missing_setting_is_named() -> None:
    with pytest.raises(MissingSetting) as caught:
        build_config(Outer, {})
    assert caught.value.name == "name"
