"""The Python functions of cass, made from the table of verbs in :mod:`cass.config.verbs`."""

from __future__ import annotations

import gc
import inspect
import shlex
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cass.config import wording
from cass.config.base import Settings, build_config
from cass.config.verbs import GROUPS, Verb, all_verbs, required_names, setting_names
from cass.errors import ConfigError, did_you_mean
from cass.types import BRANCHES, BranchName

if TYPE_CHECKING:
    from cass.runs.loading import LoadedBranch

CONFIG_ARGUMENT = "YAML file with settings, named as these keywords; keywords given here win."
_POSITIONAL = inspect.Parameter.POSITIONAL_OR_KEYWORD
_KEYWORD = inspect.Parameter.KEYWORD_ONLY


def function_names() -> list[str]:
    """Return the names of the Python functions of all verbs, in the order of the table."""
    return list(dict.fromkeys(function_name(entry) for entry in all_verbs().values()))


def function(name: str) -> Callable[..., Any]:
    """Make the Python function of a verb, or of a group of kinds.

    Args:
        name: One of :func:`function_names`.

    Returns:
        A function with a signature and a docstring of its own. It imports what it computes with when called.
    """
    entries = [entry for entry in all_verbs().values() if function_name(entry) == name]
    group = entries[0].group
    if group is not None and GROUPS[group].by_kind:
        return _by_kind(group, entries)
    return _of_verb(entries[0])


def list_methods() -> list[str]:
    """Return the names of the pretraining methods, sorted.

    Example:
        >>> import cass
        >>> "dino" in cass.list_methods()
        True
    """
    from cass.methods import METHODS

    return sorted(METHODS)


def load(run: str | Path, branch: BranchName) -> LoadedBranch:
    """Load a network of a run, to use it outside cass.

    Args:
        run: Run folder of ``cass pretrain`` or ``cass finetune``.
        branch: ``cnn`` or ``transformer``.

    Returns:
        ``model``, a torch module: images (B, C, S, S) in [0, 1] to logits (B, K) or, of a pretraining run,
        embeddings (B, D); ``transform``: image file to (C, S, S) in [0, 1]; and ``classes``, K names.

    Raises:
        CassError: The folder is no finished run, or holds no such branch.

    Example:
        ``model, transform, classes = cass.load("runs/tuned", "cnn")``, then
        ``model(transform("scan.png").unsqueeze(0)).softmax(dim=1)``.
    """
    from cass.runs.loading import load_run

    if branch not in BRANCHES:
        raise ConfigError(f"There is no branch {branch!r}", f"Name one: {' or '.join(map(repr, BRANCHES))}.")
    return load_run(Path(run), branch)


OTHER_FUNCTIONS = {"list_methods": list_methods, "load": load}
"""Functions that are no command."""


def execute(entry: Verb, config: Settings) -> Any:
    """Resolve the settings of a verb, then do its work; what the work needs is imported in between.

    Args:
        entry: The verb.
        config: Its settings.

    Returns:
        The result of the verb.
    """
    resolved = [_imported(entry.resolver)(config)] if entry.resolver else []
    run = runner(entry)
    _spare_the_collector()
    return run(config, *resolved)


def forecast(entry: Verb, config: Settings) -> Iterator[str]:
    """Resolve the settings of a verb, and yield what its work would take, in lines.

    Args:
        entry: The verb, which has a forecaster.
        config: Its settings.
    """
    resolved = _imported(entry.resolver)(config)
    lines = _imported(entry.forecaster)
    _spare_the_collector()
    yield from lines(config, resolved)


def settings_file(entry: Verb, given: Mapping[str, Any], config: str | Path | None) -> Path | None:
    """Return the file that settings are read from: what the user named, or else that of the work to resume.

    Args:
        entry: The verb.
        given: Settings by name, as given.
        config: The file that the user named.
    """
    if config is not None:
        return Path(config)
    if not (entry.resumes and given.get("resume") and given.get("out")):
        return None
    from cass.runs.folder import settings_to_resume

    return settings_to_resume(Path(given["out"]))


def _spare_the_collector() -> None:
    """Turn garbage collection on where the command line turned it off; from here on it ignores the libraries."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


def _imported(place: str) -> Callable[..., Any]:
    module, _, name = place.partition(":")
    found: Callable[..., Any] = getattr(import_module(module), name)
    return found


def runner(entry: Verb) -> Callable[..., Any]:
    """Import the function that does the work of a verb."""
    return _imported(entry.runner)


def shown(entry: Verb, result: Any, config: Settings) -> Iterator[Any]:
    """Yield what a command prints of its result: lines of text and tables.

    Args:
        entry: The verb.
        result: What its runner returned.
        config: The settings that it ran with.

    Yields:
        What ``show`` of the runner's module yields; by default the output path.
    """
    show = getattr(import_module(entry.runner.partition(":")[0]), "show", None)
    if show is None:
        yield f"Wrote {result.out}"
    else:
        yield from show(result, config)


def signature(entry: Verb) -> inspect.Signature:
    """Return the signature of a verb's Python function: two positional parameters at most, then keywords."""
    required = required_names(entry)
    parameters = []
    for name in dict.fromkeys([*required, *setting_names(entry)]):
        field = entry.config.model_fields[name]
        default = inspect.Parameter.empty if field.is_required() else field.get_default(call_default_factory=True)
        kind = _POSITIONAL if name in required[:2] else _KEYWORD
        parameters.append(inspect.Parameter(name, kind, default=default, annotation=wording.python_type(field)))
    parameters.append(inspect.Parameter("config", _KEYWORD, default=None, annotation="str | Path | None"))
    return inspect.Signature(parameters, return_annotation=entry.result)


def example(entry: Verb) -> str:
    """Return the Python call that a verb's example on the command line stands for."""
    words = shlex.split(entry.example)[1 + len(entry.name.split()) :]
    flags = {wording.flag(name): name for name in entry.config.model_fields}
    given: dict[str, Any] = {}
    positional = iter(entry.arguments)
    rest = iter(words)
    for word in rest:
        name, value = (flags[word], next(rest)) if word.startswith("--") else (next(positional), word)
        given[name] = value
    kind = kind_of(entry)
    parts = [repr(kind)] if kind else []
    parts += [_literal(entry, name, given.pop(name)) for name in entry.arguments]
    parts += [f"{name}={_literal(entry, name, value)}" for name, value in given.items()]
    return f"cass.{function_name(entry)}({', '.join(parts)})".replace("'", '"')


def raises(entry: Verb) -> dict[str, str]:
    """Say what the Python function of a verb raises, by the name of the exception."""
    found = {"CassError": "A setting, file or data set cannot be used; the message is one line with the fix."}
    if entry.resumes:
        found["KeyboardInterrupt"] = "It was stopped; ``resume=True`` continues."
    elif entry.continues:
        found["KeyboardInterrupt"] = "It was stopped; the same call continues."
    return found


def function_name(entry: Verb) -> str:
    """Return the name of the Python function of a verb; the kinds of a group share one."""
    if entry.group is not None and GROUPS[entry.group].by_kind:
        return entry.group
    return entry.name.replace(" ", "_").replace("-", "_")


def kind_of(entry: Verb) -> str | None:
    """Return the first argument of the Python function where it stands for several verbs; else None."""
    return entry.word if entry.group is not None and GROUPS[entry.group].by_kind else None


def _of_verb(entry: Verb) -> Callable[..., Any]:
    names = required_names(entry)[:2]
    name = function_name(entry)

    def call(*positional: Any, config: str | Path | None = None, **settings: Any) -> Any:
        values = dict(zip(names, positional, strict=False))
        if len(positional) > len(names):
            raise TypeError(f"{name}() takes {len(names)} positional arguments; give the others by keyword")
        if twice := values.keys() & settings.keys():
            raise TypeError(f"{name}() got {sorted(twice)[0]!r} twice")
        given = values | settings
        return execute(entry, build_config(entry.config, given, source=settings_file(entry, given, config)))

    return _dressed(call, name, signature(entry), _docstring(entry))


def _by_kind(group: str, entries: list[Verb]) -> Callable[..., Any]:
    functions = {entry.word: _of_verb(entry) for entry in entries}

    def call(kind: str, /, *positional: Any, **settings: Any) -> Any:
        if kind not in functions:
            hint = did_you_mean(kind, functions) or f"There are: {', '.join(functions)}."
            raise ConfigError(f"Unknown kind {kind!r}", hint)
        return functions[kind](*positional, **settings)

    parameters = [
        inspect.Parameter("kind", inspect.Parameter.POSITIONAL_ONLY, annotation=f"Literal{list(functions)}"),
        inspect.Parameter("source", inspect.Parameter.POSITIONAL_ONLY, annotation="str | Path"),
        inspect.Parameter("settings", inspect.Parameter.VAR_KEYWORD, annotation="Any"),
    ]
    results = " | ".join(dict.fromkeys(entry.result for entry in entries))
    kinds = "\n\n".join(f"{entry.word}: {_docstring(entry)}" for entry in entries)
    text = f"{GROUPS[group].summary}\n\nThe first argument is the kind; each kind has its own settings.\n\n{kinds}"
    return _dressed(call, group, inspect.Signature(parameters, return_annotation=results), text)


def _dressed(call: Any, name: str, signed: inspect.Signature, text: str) -> Callable[..., Any]:
    """Give a function its name, module, signature and docstring."""
    call.__name__ = call.__qualname__ = name
    call.__module__ = "cass"
    call.__signature__ = signed
    call.__doc__ = text
    dressed: Callable[..., Any] = call
    return dressed


def _docstring(entry: Verb) -> str:
    """Write the docstring of a verb's function in Google style."""
    lines = [entry.summary, "", "Args:"]
    for name in signature(entry).parameters:
        lines.append(f"    {name}: {CONFIG_ARGUMENT if name == 'config' else _describe(entry, name)}")
    lines += ["", "Returns:", f"    {entry.returns}", "", "Raises:"]
    lines += [f"    {kind}: {text}" for kind, text in raises(entry).items()]
    lines += ["", "Example:", "    >>> import cass", f"    >>> result = {example(entry)}"]
    return "\n".join(lines)


def _describe(entry: Verb, name: str) -> str:
    field = entry.config.model_fields[name]
    facts = [wording.bounds(field), f"default: {shown}" if (shown := wording.default(field)) else ""]
    noted = "; ".join(fact for fact in facts if fact)
    return f"{field.description} ({noted})" if noted else str(field.description)


def _literal(entry: Verb, name: str, value: str) -> str:
    """Write a value of the example as Python source, read as its field reads it."""
    field = entry.config.model_fields[name]
    if wording.python_type(field) == "tuple[str, ...]":
        return repr(tuple(wording.split_values(value)))
    numeric = {"int", "float"} & set(wording.python_type(field).split(" | "))
    return value if numeric else repr(value)
