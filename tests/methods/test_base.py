from __future__ import annotations

from typing import Any

import pytest
from torch import Tensor

from cass.errors import ConfigError
from cass.methods.base import METHODS, Method, MethodConfig, MethodRegistry, branch_names, build_method
from cass.models.backbones import BackboneSpec, Branch, build_branch
from cass.types import StepOutput, Views


class Plain(Method):
    """A method with no networks."""

    def forward(self, views: Views, positions: Tensor) -> StepOutput:
        return StepOutput(views[0].mean())

    def branches(self) -> dict[str, Branch]:
        return {}


class Other(Plain):
    """Another one."""


def test_a_name_means_its_default_and_an_objective_its_own_class() -> None:
    methods = MethodRegistry()
    methods.register("alone")(Plain)
    methods.register("several", objective="a")(Plain)
    methods.register("several", objective="b", default=False)(Other)
    assert methods.find("several") is methods.find("several", "a") is Plain
    assert methods.find("several", "b") is Other
    assert sorted(methods) == ["alone", "several"]
    assert methods.variants() == {("alone", None): Plain, ("several", "a"): Plain, ("several", "b"): Other}
    for wrong, says in ((("alone", "a"), "Drop --objective"), (("several", "c"), "Use --objective a or b")):
        with pytest.raises(ConfigError, match=says):
            methods.find(*wrong)
    with pytest.raises(ConfigError, match="Unknown method"):
        methods.find("other")
    for taken in ({"objective": "a", "default": False}, {"objective": "c"}):
        with pytest.raises(ValueError, match="registered twice"):
            methods.register("several", **taken)(Other)  # type: ignore[arg-type]


def test_a_method_without_a_forward_cannot_be_built() -> None:
    class Unfinished(Method):
        def branches(self) -> dict[str, Branch]:
            return {}

    broken: Any = Unfinished
    with pytest.raises(TypeError, match="forward"):
        broken(MethodConfig(), {})


def test_branches_and_settings_are_checked() -> None:
    assert branch_names(Plain, "plain", "both") == ("cnn", "transformer")
    with pytest.raises(ConfigError, match=r"--method plain cannot train --branch cnn\. Use --branch both"):
        branch_names(Plain, "plain", "cnn")
    with pytest.raises(ConfigError, match="width"):
        build_method(Plain, {"width": 3}, {})


def test_the_registry_knows_names_and_objectives() -> None:
    assert "simclr" in METHODS
    assert "nothing" not in METHODS
    assert METHODS.find("simclr") is METHODS["simclr"]
    assert METHODS.find("cass", "neighbours") is METHODS["cass"]
    for name in ("simclr", "cass"):
        with pytest.raises(ConfigError, match=rf"--method {name} has no --objective 'nothing'"):
            METHODS.find(name, "nothing")


def test_a_method_has_nothing_to_say_of_its_start_unless_it_does() -> None:
    branch = build_branch(BackboneSpec("test_vit", image_size=32), seed=0)
    built = build_method(METHODS["simclr"], {}, {"transformer": branch})
    assert built.start_note() == ""
