"""The Python functions: signatures, settings from a file, and what a type checker sees."""

from __future__ import annotations

import doctest
import inspect
import subprocess
import sys
from pathlib import Path
from typing import get_type_hints

import pytest

import cass
from cass import api
from cass.config.base import build_config
from cass.config.verbs import Verb, all_verbs, required_names
from cass.errors import ConfigError

VERBS = list(all_verbs().values())


def names(verb: Verb) -> str:
    return verb.name


@pytest.mark.parametrize("verb", VERBS, ids=names)
def test_a_function_has_every_setting_with_its_default_and_config(verb: Verb) -> None:
    parameters = api.signature(verb).parameters
    assert set(parameters) == {*verb.config.model_fields, "config"}
    for name, field in verb.config.model_fields.items():
        empty = parameters[name].default is inspect.Parameter.empty
        assert empty == field.is_required()
        if not empty:
            assert parameters[name].default == field.get_default(call_default_factory=True)


@pytest.mark.parametrize("verb", VERBS, ids=names)
def test_the_table_names_what_the_workflow_returns(verb: Verb) -> None:
    run = api.runner(verb)
    hints = get_type_hints(run)
    assert hints["return"].__name__ == verb.result
    assert hints["config"] is verb.config


@pytest.mark.parametrize("verb", VERBS, ids=names)
def test_an_example_is_a_valid_call_of_the_verb(verb: Verb, monkeypatch: pytest.MonkeyPatch) -> None:
    given = []
    monkeypatch.setattr(api, "execute", lambda entry, config: given.append((entry, config)))
    monkeypatch.setattr(cass, api.function_name(verb), api.function(api.function_name(verb)), raising=False)
    exec(api.example(verb), {"cass": cass})
    ((entry, config),) = given
    assert entry == verb
    assert all(getattr(config, name) for name in required_names(verb))


def test_help_of_a_function_names_settings_result_errors_and_an_example() -> None:
    text = inspect.getdoc(cass.embed) or ""
    assert "batch_size: Images per batch" in text
    assert "(at least 1; default: 64)" in text
    for part in ("Returns:", "CassError:", "KeyboardInterrupt:", ">>> result = cass.embed("):
        assert part in text


def test_a_file_gives_settings_and_keywords_win(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "run.yaml").write_text("seed: 3\nratios: [0.5, 0.25, 0.25]\n")
    monkeypatch.setattr(api, "execute", lambda entry, config: config)
    config = cass.split(Path("scans"), "a.csv", config=tmp_path / "run.yaml", seed=5)
    assert (config.data, config.out, config.seed, config.ratios) == ("scans", Path("a.csv"), 5, (0.5, 0.25, 0.25))
    with pytest.raises(ConfigError, match=r"'ratios' in .*run\.yaml"):
        cass.audit("scans", config=tmp_path / "run.yaml")


def test_wrong_calls_are_refused_in_one_line() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'seed'"):
        cass.split("scans", "a.csv", sed=3)
    with pytest.raises(ConfigError, match="'out' is missing"):
        cass.split("scans")
    with pytest.raises(TypeError, match="takes 2 positional"):
        cass.split("scans", "a.csv", 3)
    with pytest.raises(TypeError, match="'data' twice"):
        cass.split("scans", data="scans")
    with pytest.raises(ConfigError, match="Did you mean 'dicom'"):
        cass.prepare("dicon", "scans")
    with pytest.raises(AttributeError, match="no attribute 'pretrane'"):
        cass.pretrane  # noqa: B018


def test_importing_and_completing_load_no_torch() -> None:
    code = (
        "import sys, cass\n"
        "assert {'pretrain', 'split', 'benchmark_speed', 'prepare', 'CassError'} <= set(dir(cass))\n"
        "exec('from cass import *')\n"
        "assert cass.pretrain.__doc__ and callable(cass.compare) and callable(cass.list_methods)\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_methods_are_listed() -> None:
    assert {"cass", "dino"} <= set(cass.list_methods())


def test_examples_in_docstrings_run() -> None:
    outcome = doctest.testmod(api)
    assert outcome.attempted
    assert not outcome.failed


def test_everything_public_can_be_imported_at_once() -> None:
    found: dict[str, object] = {}
    exec("from cass import *", found)
    assert set(cass.__all__) <= set(found)
    assert found["pretrain"] is cass.pretrain


RIGHT = """
import cass
from pathlib import Path

run = cass.pretrain("scans", Path("runs/a"), cnn="resnet18", epochs=3, batch_size="auto", label_columns=("a",))
print(run.out / "x", run.collapsed)
print(cass.split("scans", "a.csv", config="a.yaml").counts["train"])
print(cass.prepare("nifti", "volumes", out="slices", axis="axial").files)
"""
WRONG = """
import cass

cass.pretrain("scans", "runs/a", epoch=3)
cass.pretrain("scans", "runs/a", epochs="three")
cass.pretrain("scans")
cass.finetune("runs/a", "labels.csv", out="b", head="linar")
cass.prepare("nifti", "volumes", out="slices", level=1)
"""
SETTINGS = f"""
[mypy]
mypy_path = {Path(cass.__file__).parents[1]}
strict = True
follow_imports = silent
[mypy-torch.*,lightning.*,pandas.*,numpy.*,scipy.*,pydantic.*,rich.*,typer.*,PIL.*,timm.*]
follow_imports = skip
ignore_missing_imports = True
"""


def test_a_type_checker_sees_the_keywords(tmp_path: Path) -> None:
    (tmp_path / "mypy.ini").write_text(SETTINGS)
    (tmp_path / "right.py").write_text(RIGHT)
    (tmp_path / "wrong.py").write_text(WRONG)
    line = [sys.executable, "-m", "mypy", "--config-file", "mypy.ini", "--cache-dir", "cache"]
    done = subprocess.run(
        [*line, "right.py", "wrong.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert "right.py" not in done.stdout, done.stdout
    lines = {int(line.split(":")[1]) for line in done.stdout.splitlines() if line.startswith("wrong.py")}
    assert lines == {4, 5, 6, 7, 8}, done.stdout


def test_settings_of_a_file_are_checked_as_keywords_are() -> None:
    for verb in VERBS:
        with pytest.raises(ConfigError, match="Unknown key 'nothing'"):
            build_config(verb.config, dict.fromkeys(required_names(verb), "a") | {"nothing": 1})
