"""What a setting accepts, in words: the same in help, docstrings, the stub and the reference."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from cass.config.shared import LabelSettings, PathOrWord

_BOUNDS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below", "multiple_of": "a multiple of"}


def flag(name: str) -> str:
    """Return the option of a field: ``--json`` for ``json_file``."""
    return "--" + name.removesuffix("_file").replace("_", "-")


def column_options(settings: LabelSettings) -> list[str]:
    """Return the options that name the columns of a table, as words of a command line."""
    words: list[str] = []
    for name in LabelSettings.model_fields:
        value = getattr(settings, name)
        if value:
            words += [flag(name), value if isinstance(value, str) else join_values(value)]
    return words


def join_values(values: Sequence[str]) -> str:
    """Join several values of an option by commas; one that holds a comma is put in double quotes."""
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(values)
    return text.getvalue()


def split_values(text: str) -> list[str]:
    """Take several values of an option apart, as :func:`join_values` joins them."""
    return [value.strip() for value in next(csv.reader([text], skipinitialspace=True), []) if value.strip()]


def bounds(field: FieldInfo) -> str:
    """Return the bounds of a field, such as ``above 0, at most 1``; empty where it has none."""
    return ", ".join(
        f"{word} {_number(getattr(entry, key))}"
        for entry in _metadata(field)
        for key, word in _BOUNDS.items()
        if isinstance(getattr(entry, key, None), int | float)
    )


def default(field: FieldInfo) -> str:
    """Return the default of a field as a user writes it; empty where there is none to speak of."""
    value = field.default
    if value is PydanticUndefined or value is None or value == ():
        return ""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        return " ".join(_number(entry) if isinstance(entry, int | float) else str(entry) for entry in value)
    return str(value)


def is_mapping(field: FieldInfo) -> bool:
    """Tell whether a field holds several settings: a mapping, or a model of its own."""
    annotation = field.annotation
    return get_origin(annotation) is dict or _is_model(annotation)


def python_type(field: FieldInfo) -> str:
    """Return the type of the Python keyword of a field, as source text."""
    if any(entry is PathOrWord for entry in field.metadata):
        return "str | Path"
    return " | ".join(dict.fromkeys(_types(field.annotation)))


def python_default(field: FieldInfo) -> str:
    """Return the default of the Python keyword as source text; empty where the field is required."""
    if field.is_required():
        return ""
    value = field.default
    plain = isinstance(value, str | int | float | bool | tuple) or value is None
    return repr(value) if plain else "..."


def choices(annotation: Any) -> list[str]:
    """Return the words that an annotation accepts; empty where it accepts any."""
    return [word for part in parts(annotation) if get_origin(part) is Literal for word in get_args(part)]


def parts(annotation: Any) -> Iterator[Any]:
    """Yield the parts of a union, without their annotations."""
    if get_origin(annotation) is Annotated:
        yield from parts(get_args(annotation)[0])
    elif get_origin(annotation) in (Union, UnionType):
        for part in get_args(annotation):
            yield from parts(part)
    else:
        yield annotation


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def _types(annotation: Any) -> Iterator[str]:
    """Yield the source text of each part of a union."""
    for part in parts(annotation):
        origin = get_origin(part)
        if part is type(None):
            yield "None"
        elif part is Path:
            yield from ("str", "Path")
        elif origin is Literal:
            yield f"Literal[{', '.join(map(repr, get_args(part)))}]"
        elif origin is tuple:
            entries = ["..." if entry is Ellipsis else entry.__name__ for entry in get_args(part)]
            yield f"tuple[{', '.join(entries)}]"
            yield f"list[{entries[0]}]"
        elif origin is dict or _is_model(part):
            yield "dict[str, Any]"
        else:
            yield part.__name__


def _metadata(field: FieldInfo) -> Iterator[Any]:
    yield from field.metadata
    for part in get_args(field.annotation):
        if get_origin(part) is Annotated:
            for entry in get_args(part)[1:]:
                yield from entry.metadata if isinstance(entry, FieldInfo) else (entry,)


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
