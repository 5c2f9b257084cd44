from __future__ import annotations

import pkgutil

import pytest

import cass
from cass.config.base import Settings
from cass.config.verbs import GROUPS, VERBS, all_verbs, required_names, setting_names, verb


def test_verbs_stand_in_the_order_of_use() -> None:
    names = list(all_verbs())
    assert names.index("audit") < names.index("pretrain") < names.index("finetune") < names.index("benchmark")
    assert [all_verbs()[name].order for name in names] == sorted(all_verbs()[name].order for name in names)


def test_settings_stand_as_in_help_positional_and_required_first() -> None:
    assert setting_names(all_verbs()["embed"])[:3] == ["run", "data", "out"]
    assert required_names(all_verbs()["finetune"]) == ["run", "labels", "out"]
    for entry in all_verbs().values():
        assert set(setting_names(entry)) == set(entry.config.model_fields)
        assert set(entry.arguments) <= set(entry.config.model_fields)


def test_every_verb_and_setting_is_described() -> None:
    for entry in all_verbs().values():
        assert entry.example.startswith(
            f"cass {entry.name if entry.name != 'benchmark' else 'benchmark '}".rstrip()
        )
        assert all(field.description for field in entry.config.model_fields.values())
        assert entry.group is None or entry.group in GROUPS


def test_no_verb_hides_a_module() -> None:
    modules = {module.name for module in pkgutil.iter_modules(cass.__path__)}
    assert not modules & set(cass.__all__)


def test_a_name_is_taken_once() -> None:
    with pytest.raises(ValueError, match="'split' is registered twice"):
        verb("split", summary="", example="", returns="", order=1)(Settings)
    assert VERBS["split"].config is not Settings
