"""Why settings are not accepted, in one line that names the setting and the fix."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from cass.errors import ConfigError, did_you_mean

_KINDS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "string": "text",
    "tuple": "a list",
    "list": "a list",
}
_LIMITS = {
    "greater_than": ("above", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("below", "lt"),
    "less_than_equal": ("at most", "le"),
    "multiple_of": ("a multiple of", "multiple_of"),
}


class MissingSetting(ConfigError):
    """A required setting that nobody gave.

    Args:
        name: The setting.
        where: The file that lacks it, in words; or nothing.
    """

    def __init__(self, name: str, where: str = "") -> None:
        self.name = name
        super().__init__(f"{name!r} is missing{where}", f"Give {name}.")


def complaint(
    error: ValidationError,
    kind: type[BaseModel],
    *,
    given: Collection[str],
    source: Path | None,
    name_of: Callable[[str], str] | None = None,
) -> ConfigError:
    """Turn the first complaint of a validation into one line.

    Args:
        error: What pydantic found.
        kind: The settings.
        given: Names of the settings that were given directly; the others come from ``source``.
        source: A YAML file.
        name_of: How the user knows a setting that was given directly, such as ``--image-size``.
    """
    first = error.errors()[0]
    owner, path = _owner(kind, first["loc"])
    name = ".".join(path)
    direct = path[0] in given or source is None
    where = "" if direct else f" in {source}"
    if first["type"] == "extra_forbidden":
        known = list(owner.model_fields)
        return ConfigError(
            f"Unknown key {name!r}{where}", did_you_mean(path[-1], known) or f"Known: {', '.join(known)}."
        )
    if first["type"] == "missing" and len(path) == len(first["loc"]):
        return MissingSetting(name, where)
    if direct and name_of is not None:
        shown = ".".join([name_of(path[0]), *path[1:]])
        what = f"{shown} {_given_value(first)} is not accepted"
    else:
        what = f"{name} = {_given_value(first)!r}{where} is not accepted"
    same = [entry for entry in error.errors() if entry["loc"][: len(path)] == first["loc"][: len(path)]]
    return ConfigError(what, _fix(same))


def _owner(kind: type[BaseModel], place: Sequence[int | str]) -> tuple[type[BaseModel], list[str]]:
    """Follow a complaint's place to the model and the names of the setting; parts of a value are cut off."""
    owner, path = kind, list[str]()
    annotation: Any = kind
    for part in place:
        if get_origin(annotation) is dict:  # a mapping of models by name
            annotation = get_args(annotation)[1]
        elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
            owner = annotation
            field = owner.model_fields.get(str(part))
            annotation = None if field is None else field.annotation
        else:
            break
        path.append(str(part))
    return owner, path


def _given_value(entry: Any) -> Any:
    value = entry["input"]
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else value


def _fix(entries: Sequence[Any]) -> str:
    """Say what is accepted; a setting of several types has a complaint of each."""
    if entries[0]["type"] == "value_error":
        message = str(entries[0]["ctx"]["error"])
        return f"{message[:1].upper()}{message[1:]}."
    return f"It should be {' or '.join(dict.fromkeys(_expected(entry) for entry in entries))}."


def _expected(entry: Any) -> str:
    code = entry["type"]
    if code in _LIMITS:
        word, key = _LIMITS[code]
        return f"{word} {entry['ctx'][key]:g}"
    if code == "literal_error":
        return str(entry["ctx"]["expected"])
    if code in ("missing", "too_short", "too_long"):
        return "a list of the right length"
    return _KINDS.get(code.partition("_")[0], str(entry["msg"][:1].lower() + entry["msg"][1:]))
