"""What the settings of every command share: frozen and strict models, read from YAML and checked in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from cass.errors import ConfigError, did_you_mean


class Settings(BaseModel):
    """What every command's settings share: unknown keys are refused, values cannot change."""

    # Validators are built when first used: help needs none of them.
    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, defer_build=True)


C = TypeVar("C", bound=Settings)


class MissingSetting(ConfigError):
    """A setting without a default was not given.

    Args:
        name: Its name.
        where: The file that could have held it, such as ``" in run.yaml"``; empty without one.
    """

    def __init__(self, name: str, where: str = "") -> None:
        self.name = name
        super().__init__(f"{name!r} is missing{where}", f"Give {name}.")


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


def build_config(kind: type[C], values: dict[str, Any], *, source: Path | None = None) -> C:
    """Check settings against their declaration.

    Args:
        kind: The configuration model.
        values: Settings by name; those given on the command line or in Python win over ``source``.
        source: A YAML file with further settings.

    Returns:
        The frozen configuration.

    Raises:
        ConfigError: A key is unknown, a value is out of bounds, or a required setting is missing; one line.
    """
    merged = {**(read_yaml(source) if source else {}), **values}
    try:
        return kind.model_validate(merged)
    except ValidationError as error:
        where = f" in {source}" if source else ""
        raise _one_line(error, kind, where) from None


def _one_line(error: ValidationError, kind: type[BaseModel], where: str) -> ConfigError:
    """Turn the first complaint of a validation into one line with its fix."""
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        owner: type[BaseModel] = kind
        for part in first["loc"][:-1]:
            annotation = owner.model_fields[str(part)].annotation
            owner = annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else owner
        known = list(owner.model_fields)
        return ConfigError(
            f"Unknown key {key!r}{where}",
            did_you_mean(str(first["loc"][-1]), known) or f"Known: {', '.join(known)}.",
        )
    if first["type"] == "missing":
        return MissingSetting(key, where)
    message = first["msg"][:1].lower() + first["msg"][1:]
    return ConfigError(
        f"{key} = {first['input']!r}{where} is not accepted", f"It {message.removeprefix('input ')}."
    )


def to_yaml(config: BaseModel) -> str:
    """Write a configuration as YAML that :func:`build_config` reads back to an equal one.

    Args:
        config: The configuration.

    Returns:
        YAML text, one setting per line, each field in the order of its declaration.
    """
    import yaml

    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
