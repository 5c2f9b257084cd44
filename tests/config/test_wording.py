from __future__ import annotations

import pytest

from cass.config import wording
from cass.config.compare import CompareConfig
from cass.config.split import SplitConfig

FIELDS = CompareConfig.model_fields


@pytest.mark.parametrize(
    ("name", "python_type", "default", "bounds"),
    [
        ("data", "str | Path", "", ""),
        ("out", "str | Path", "", ""),
        ("batch_size", "int | Literal['auto']", "16", "at least 2"),
        ("lr", "float | None", "None", "above 0, at most 10"),
        ("num_workers", "int | None", "None", "at least 0"),
        ("device", "Literal['auto', 'cpu', 'gpu', 'mps']", "'auto'", ""),
        ("label_fractions", "tuple[float, ...] | list[float]", "(0.01, 0.1, 1.0)", ""),
        ("finetune", "dict[str, Any]", "...", ""),
        ("resume", "bool", "False", ""),
    ],
)
def test_a_setting_in_python(name: str, python_type: str, default: str, bounds: str) -> None:
    assert wording.python_type(FIELDS[name]) == python_type
    assert wording.python_default(FIELDS[name]) == default
    assert wording.bounds(FIELDS[name]) == bounds


def test_defaults_as_a_user_writes_them() -> None:
    shown = {name: wording.default(FIELDS[name]) for name in ("seed", "resume", "label_fractions", "lr", "cache")}
    assert shown == {"seed": "0", "resume": "off", "label_fractions": "0.01 0.1 1", "lr": "", "cache": "auto"}
    assert wording.default(SplitConfig.model_fields["ratios"]) == "0.7 0.1 0.2"


def test_options_are_named_after_fields() -> None:
    assert wording.flag("json_file") == "--json"
    assert wording.flag("image_size") == "--image-size"
