"""What the settings of every command share: frozen and strict models, read from YAML and checked in one line."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from cass.config.complaint import complaint
from cass.errors import ConfigError


class Settings(BaseModel):
    """What every command's settings share: unknown keys are refused, values cannot change."""

    # Validators are built when first used: help needs none of them.
    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, defer_build=True)


C = TypeVar("C", bound=Settings)


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file that holds a mapping.

    Args:
        path: The file.

    Returns:
        The mapping; empty for an empty file.

    Raises:
        ConfigError: The file is missing, is not YAML, or holds no mapping.
    """
    import yaml

    try:
        loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"Cannot read the configuration {path}: {error.strerror}", "Check the path.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid YAML: {error}", "Fix the file.") from None
    if loaded is None:
        return {}
    if not isinstance(loaded, dict):
        raise ConfigError(
            f"{path} holds no 'key: value' lines", "Write one setting per line, such as 'epochs: 10'."
        )
    return {str(key): value for key, value in loaded.items()}


def build_config(
    kind: type[C],
    values: dict[str, Any],
    *,
    source: Path | None = None,
    name_of: Callable[[str], str] | None = None,
) -> C:
    """Check settings against their declaration.

    Args:
        kind: The configuration model.
        values: Settings by name; those given on the command line or in Python win over ``source``.
        source: A YAML file with further settings.
        name_of: How the user knows a setting in ``values``, for messages; default: by its name.

    Returns:
        The frozen configuration.

    Raises:
        ConfigError: A key is unknown, a value is out of bounds, or a required setting is missing; one line.
    """
    merged = {**(read_yaml(source) if source else {}), **values}
    return checked(kind, merged, given=values, source=source, name_of=name_of)


def checked(
    kind: type[C],
    values: dict[str, Any],
    *,
    source: Path | None,
    given: Collection[str] = (),
    name_of: Callable[[str], str] | None = None,
) -> C:
    """Check settings that have been read.

    Args:
        kind: The configuration model.
        values: Settings by name.
        source: The YAML file that they are from, for messages.
        given: Names of those that are not from the file.
        name_of: How the user knows those.

    Returns:
        The frozen configuration.

    Raises:
        ConfigError: As of :func:`build_config`.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise complaint(error, kind, given=given, source=source, name_of=name_of) from None


def to_yaml(config: BaseModel) -> str:
    """Write a configuration as YAML that :func:`build_config` reads back to an equal one.

    Args:
        config: The configuration.

    Returns:
        YAML text, one setting per line, each field in the order of its declaration.
    """
    import yaml

    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
