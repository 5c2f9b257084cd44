"""The table of verbs: command line, Python functions, stub and reference are made from it.

A verb registers itself: it is a settings class in its own file of this folder, decorated with :func:`verb`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import TypeVar

from cass.config.base import Settings
from cass.registry import Registry

SettingsT = TypeVar("SettingsT", bound=Settings)


@dataclass(frozen=True)
class Verb:
    """What a user can do with cass: one command, one Python function.

    Attributes:
        name: Words of the command, such as ``pretrain`` or ``prepare dicom``.
        config: Its settings.
        summary: What it does, in one sentence.
        example: A command line; the Python example is made from it.
        returns: What the Python function returns, in one sentence.
        runner: ``module:function`` that takes the settings and does the work. Where the module has a function
            ``show(result, config)``, it yields the lines and tables that the command prints.
        result: Name of the result class in the runner's module.
        resolver: ``module:function`` that takes the settings, checks all that needs no image, and returns what the
            runner takes as its second argument; or nothing. It is imported first, and quickly.
        forecaster: ``module:function`` that takes the settings and what the resolver returned, and yields the
            lines that ``--dry-run`` prints.
        arguments: Fields that are positional on the command line, with the word that stands for them in help.
        order: Place in lists; verbs stand in the order in which a project uses them.
        continues: Whether the same command continues what was stopped, without an option.
    """

    name: str
    config: type[Settings]
    summary: str
    example: str
    returns: str
    runner: str
    result: str
    resolver: str = ""
    forecaster: str = ""
    arguments: Mapping[str, str] = field(default_factory=dict)
    order: int = 0
    continues: bool = False

    @property
    def group(self) -> str | None:
        """The group it belongs to: the first word of several."""
        first, _, rest = self.name.partition(" ")
        return first if rest else None

    @property
    def word(self) -> str:
        """Its last word, which names it within its group."""
        return self.name.rpartition(" ")[2]

    @property
    def resumes(self) -> bool:
        """Whether ``resume`` continues what was stopped."""
        return "resume" in self.config.model_fields


@dataclass(frozen=True)
class Group:
    """Verbs that share their first word.

    Attributes:
        name: The word.
        summary: What they do, in one sentence.
        by_kind: Whether they are one Python function that takes the second word as its first argument; else
            each is a function, its words joined by an underscore.
    """

    name: str
    summary: str
    by_kind: bool = False


VERBS: Registry[Verb] = Registry("verb")
GROUPS: Registry[Group] = Registry("group of verbs")


def verb(
    name: str,
    *,
    summary: str,
    example: str,
    returns: str,
    order: int,
    runner: str = "",
    result: str = "",
    resolver: str = "",
    forecaster: str = "",
    arguments: Mapping[str, str] | None = None,
    continues: bool = False,
) -> Callable[[type[SettingsT]], type[SettingsT]]:
    """Enter the decorated settings as those of a verb; see :class:`Verb`.

    Args:
        name: Words of the command.
        summary: What it does, in one sentence.
        example: A command line.
        returns: What the Python function returns, in one sentence.
        order: Place in lists.
        runner: ``module:function``; default: ``cass.workflows.NAME:run_NAME``.
        resolver: ``module:function`` that checks the settings before any work.
        forecaster: ``module:function`` that yields what ``--dry-run`` prints.
        result: Name of the result class; default: ``NameResult``.
        arguments: Positional fields and their words in help.
        continues: Whether the same command continues what was stopped, without an option.

    Returns:
        A decorator that hands the settings class back unchanged.
    """

    def enter(config: type[SettingsT]) -> type[SettingsT]:
        VERBS.register(name)(
            Verb(
                name=name,
                config=config,
                summary=summary,
                example=example,
                returns=returns,
                runner=runner or f"cass.workflows.{name}:run_{name}",
                result=result or f"{name.capitalize()}Result",
                resolver=resolver,
                forecaster=forecaster,
                arguments=arguments or {},
                order=order,
                continues=continues,
            )
        )
        return config

    return enter


@cache
def all_verbs() -> dict[str, Verb]:
    """Return every verb by name, in the order of lists."""
    package = __name__.rpartition(".")[0]
    for module in iter_modules(import_module(package).__path__):
        import_module(f"{package}.{module.name}")
    return {entry.name: entry for entry in sorted(VERBS.values(), key=lambda entry: (entry.order, entry.name))}


def setting_names(entry: Verb) -> list[str]:
    """Return the settings of a verb in the order of help: positional, required, its own, inherited."""
    fields = entry.config.model_fields
    required = [name for name, field_info in fields.items() if field_info.is_required()]
    own = [name for name in fields if name in entry.config.__annotations__]
    return list(dict.fromkeys([*entry.arguments, *required, *own, *fields]))


def required_names(entry: Verb) -> list[str]:
    """Return the settings of a verb that have no default, in the order of :func:`setting_names`."""
    return [name for name in setting_names(entry) if entry.config.model_fields[name].is_required()]
