"""Command line options made from the configuration models: one declaration, no second list."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from cass.config.base import Settings, build_config
from cass.errors import ConfigError

CONFIG_HELP = "YAML file with settings by the names of these options; options given here win."


def command(
    kind: type[Settings], run: Callable[[Any], Any], *, arguments: dict[str, str], example: str, summary: str
) -> Callable[..., None]:
    """Make a Typer command from a configuration model.

    Args:
        kind: The configuration model; each field becomes an option of its name.
        run: What the command does with the checked configuration.
        arguments: Fields that are positional, with the word that stands for them in help.
        example: A command line to show in help.
        summary: What the command does.

    Returns:
        A function that Typer turns into the command.
    """
    required = [name for name, field in kind.model_fields.items() if field.is_required()]
    own = [name for name in kind.model_fields if name in kind.__annotations__]
    names = dict.fromkeys([*required, *own, *kind.model_fields])  # what a command is about comes first
    parameters = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=_parameter(name, kind.model_fields[name], arguments),
        )
        for name in names
    ]
    if arguments.get("data"):
        parameters.append(_keyword("data_option", str, typer.Option("--data", help="The same as IMAGES.")))
    parameters.append(_keyword("config", str, typer.Option("--config", metavar="FILE", help=CONFIG_HELP)))

    def body(**given: Any) -> None:
        source = given.pop("config", None)
        data = given.pop("data_option", None)
        if data is not None:
            if given["data"] is not None:
                raise ConfigError(f"IMAGES {given['data']!r} and --data {data!r} are both given", "Give one.")
            given["data"] = data
        values = {
            name: _value(name, value, kind.model_fields[name])
            for name, value in given.items()
            if value is not None and value != []
        }
        run(build_config(kind, values, source=Path(source) if source else None))

    body.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    body.__doc__ = f"{summary}\n\nExample: {example}"
    return body


def _keyword(name: str, kind: Any, option: Any) -> inspect.Parameter:
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, option]
    )


def _parameter(name: str, field: FieldInfo, arguments: dict[str, str]) -> Any:
    if name not in arguments:
        return _option(name, field)
    argument = typer.Argument(metavar=arguments[name], help=field.description, show_default=False)
    return Annotated[str | None, argument]


def _option(name: str, field: FieldInfo) -> Any:
    """Turn a field into an annotated option; what is left out stays None, so that a file can give it."""
    flag = "--" + name.removesuffix("_file").replace("_", "-")
    help_text = f"{field.description}{_bounds(field)}{_default(field)}"
    names = (flag, "--data") if name == "labels" else (flag,)
    if field.default is True:
        names = (f"{flag}/--no-{flag.removeprefix('--')}",)
    kind, metavar = _kind(field.annotation)
    return Annotated[kind | None, typer.Option(*names, help=help_text, metavar=metavar, show_default=False)]


def _kind(annotation: Any) -> tuple[Any, str | None]:
    """Return the type Typer parses and the word that stands for it in help."""
    if get_origin(annotation) is Literal:
        return str, "|".join(get_args(annotation))
    options = [part for part in get_args(annotation) if part is not type(None)]
    if any(get_origin(part) is Literal for part in options):  # a number or a word
        return str, "N|" + "|".join(word for part in options for word in get_args(part) if isinstance(word, str))
    if get_origin(annotation) is tuple:
        return list[options[0]], None  # type: ignore[valid-type]
    if type(None) in get_args(annotation):
        return options[0], None
    if get_origin(annotation) is dict or _is_model(annotation):
        return str, "YAML"
    if annotation is Path:
        return str, "PATH"
    return annotation, None


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _value(name: str, value: Any, field: FieldInfo) -> Any:
    """Read the YAML of an option that holds several settings."""
    if get_origin(field.annotation) is not dict and not _is_model(field.annotation):
        return value
    import yaml

    try:
        loaded = yaml.safe_load(value)
    except yaml.YAMLError:
        loaded = None
    if not isinstance(loaded, dict):
        raise ConfigError(
            f"--{name.replace('_', '-')} {value!r} is no YAML mapping",
            "Write it as '{key: value, key: value}'.",
        )
    return loaded


def _bounds(field: FieldInfo) -> str:
    words = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
    parts = [
        f"{word} {getattr(entry, key):g}"
        for entry in field.metadata
        for key, word in words.items()
        if getattr(entry, key, None) is not None
    ]
    return f" ({', '.join(parts)})" if parts else ""


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined or field.default in (None, (), False):
        return ""
    value = field.default
    shown = " ".join(f"{entry:g}" for entry in value) if isinstance(value, tuple) else value
    return f" [default: {'on' if value is True else shown}]"
