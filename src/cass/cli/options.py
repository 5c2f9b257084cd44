"""Command line options made from the table of verbs: one declaration, no second list."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import typer
from pydantic.fields import FieldInfo

from cass.api import settings_file
from cass.config import wording
from cass.config.base import build_config
from cass.config.complaint import MissingSetting
from cass.config.verbs import Verb, setting_names
from cass.errors import ConfigError
from cass.logs import set_up_logging

CONFIG_HELP = "YAML file with settings, named as these options with underscores; options given here win."
SAME_AS_IMAGES = "The same as IMAGES."
QUIET = "Show only warnings and errors: no messages, no progress bar."
DRY_RUN = "Say what would be done, with the time, memory and disk space that it takes, and write nothing."
VERBOSE = "Show details: times, messages of libraries, and the traceback of an error."


def command(entry: Verb, run: Callable[[Any], None], forecast: Callable[[Any], None]) -> Callable[..., None]:
    """Make a Typer command of a verb.

    Args:
        entry: The verb; each of its settings becomes an option of its name.
        run: Called with the checked settings.
        forecast: Called with them instead for ``--dry-run``.

    Returns:
        A function that Typer turns into the command.
    """
    fields = entry.config.model_fields
    parameters = [_keyword(name, _annotation(entry, name, fields[name])) for name in setting_names(entry)]
    if "data" in entry.arguments:
        parameters.append(_keyword("data_option", _text_option("--data", help=SAME_AS_IMAGES)))
    parameters.append(_keyword("config", _text_option("--config", metavar="FILE", help=CONFIG_HELP)))
    if entry.forecaster:
        parameters.append(_keyword("dry_run", Annotated[bool, typer.Option("--dry-run", help=DRY_RUN)], False))
    parameters.append(_keyword("quiet", Annotated[bool, typer.Option("--quiet", "-q", help=QUIET)], False))
    parameters.append(_keyword("verbose", Annotated[bool, typer.Option("--verbose", "-v", help=VERBOSE)], False))

    def body(**given: Any) -> None:
        _set_up(quiet=given.pop("quiet"), verbose=given.pop("verbose"))
        source, act = given.pop("config"), forecast if given.pop("dry_run", False) else run
        _merge_data(given)
        values = {
            name: _value(name, value, fields[name])
            for name, value in given.items()
            if value is not None and value != []
        }
        try:
            config = build_config(
                entry.config, values, source=settings_file(entry, values, source), name_of=wording.flag
            )
        except MissingSetting as error:
            word = entry.arguments.get(error.name, wording.flag(error.name))
            raise ConfigError(f"cass {entry.name} needs {word}", f"Example: {entry.example}") from None
        act(config)

    body.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    body.__doc__ = f"{entry.summary}\n\nExample: {entry.example}"
    return body


def option_names(name: str, field: FieldInfo) -> tuple[str, ...]:
    """Return the options of a field: its flag, and the further ones that mean the same."""
    flag = wording.flag(name)
    if field.default is True:
        return (f"{flag}/--no-{flag.removeprefix('--')}",)
    return (flag, "--data") if name == "labels" else (flag,)


def value_word(field: FieldInfo) -> str | None:
    """Return the word that stands for the value of an option in help; None for a switch."""
    if wording.is_mapping(field):
        return "YAML"
    parts = [part for part in wording.parts(field.annotation) if part is not type(None)]
    if words := wording.choices(field.annotation):
        return "|".join(words if len(parts) == 1 else ["N", *words])
    kind = get_args(parts[0])[0] if get_origin(parts[0]) is tuple else parts[0]
    return {int: "N", float: "NUMBER", Path: "PATH", bool: None}.get(kind, "TEXT")


def _set_up(*, quiet: bool, verbose: bool) -> None:
    if quiet and verbose:
        raise ConfigError("--quiet and --verbose are both given", "Give one.")
    if quiet or verbose:
        set_up_logging(level=logging.WARNING if quiet else logging.DEBUG)


def _merge_data(given: dict[str, Any]) -> None:
    """Take --data for IMAGES."""
    data = given.pop("data_option", None)
    if data is None:
        return
    if given["data"] is not None:
        raise ConfigError(f"IMAGES {given['data']!r} and --data {data!r} are both given", "Give one.")
    given["data"] = data


def _keyword(name: str, annotation: Any, default: Any = None) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _text_option(flag: str, **settings: Any) -> Any:
    return Annotated[str | None, typer.Option(flag, **settings)]


def _annotation(entry: Verb, name: str, field: FieldInfo) -> Any:
    """Turn a field into an argument or option; without a value it is None, so that a file can give it."""
    if name in entry.arguments:
        argument = typer.Argument(metavar=entry.arguments[name], help=field.description, show_default=False)
        return Annotated[str | None, argument]
    bounds, default = wording.bounds(field), wording.default(field)
    takes_several = get_origin(_first_part(field)) is tuple
    several = " Separate several values with commas, or repeat the option." if takes_several else ""
    shown_default = f" [default: {default}]" if default and field.default is not False else ""
    text = f"{field.description}{f' ({bounds})' if bounds else ''}{several}{shown_default}"
    words = wording.choices(field.annotation)
    option = typer.Option(
        *option_names(name, field),
        help=text,
        metavar=value_word(field),
        show_default=False,
        autocompletion=_completer(words) if words else None,
    )
    return Annotated[_kind(field) | None, option]


def _completer(words: list[str]) -> Callable[[str], list[str]]:
    def complete(incomplete: str) -> list[str]:
        return [word for word in words if word.startswith(incomplete)]

    return complete


def _kind(field: FieldInfo) -> Any:
    """Return the type that Typer parses; everything else is text, which the settings check."""
    part = _first_part(field)
    if part is bool:
        return bool
    return list[str] if get_origin(part) is tuple else str


def _value(name: str, value: Any, field: FieldInfo) -> Any:
    """Read the YAML of an option that holds several settings, and take several values with commas apart."""
    if isinstance(value, list):
        return [part for text in value for part in wording.split_values(text)]
    if not wording.is_mapping(field):
        return value
    import yaml

    try:
        loaded = yaml.safe_load(value)
    except yaml.YAMLError:
        loaded = None
    if not isinstance(loaded, dict):
        raise ConfigError(
            f"{wording.flag(name)} {value!r} is not a YAML mapping", "Write it as '{key: value, key: value}'."
        )
    return loaded


def _first_part(field: FieldInfo) -> Any:
    return next(part for part in wording.parts(field.annotation) if part is not type(None))
