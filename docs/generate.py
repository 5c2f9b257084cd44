"""Write what is made from the table of verbs and the registry of methods: the stub and the reference pages.

``make reference`` runs it. In a page, only the text between ``<!-- generated: NAME -->`` and
``<!-- end of NAME -->`` is replaced; everything else is written by hand.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from cass import api
from cass.cli.options import CONFIG_HELP, DRY_RUN, QUIET, VERBOSE, option_names, value_word
from cass.config import wording
from cass.config.verbs import GROUPS, Verb, all_verbs, setting_names

ROOT = Path(__file__).resolve().parents[1]
STUB = ROOT / "src" / "cass" / "__init__.pyi"
REFERENCE = ROOT / "docs" / "reference"


def generated_files() -> dict[Path, str]:
    """Return the text of every file that is generated, as a whole or in part, by path."""
    files = {STUB: stub()}
    for name, blocks in {
        "command-line.md": {"overview": overview(), "common options": common_options(), "commands": commands()},
        "methods.md": {"methods": methods(), "settings of methods": method_settings()},
        "api.md": {"functions": functions(), "results": results()},
    }.items():
        path = REFERENCE / name
        text = path.read_text(encoding="utf-8")
        for block, content in blocks.items():
            text = _replace(text, block, content, path=path)
        files[path] = text
    return files


def _replace(text: str, name: str, content: str, *, path: Path) -> str:
    start, end = f"<!-- generated: {name} -->", f"<!-- end of {name} -->"
    pattern = re.compile(f"{re.escape(start)}.*?{re.escape(end)}", re.DOTALL)
    if len(pattern.findall(text)) != 1:
        raise SystemExit(f"{path} needs the lines {start} and {end} once.")
    return pattern.sub(lambda _: f"{start}\n\n{content.strip()}\n\n{end}", text)


# The stub


def stub() -> str:
    """Return the text of ``__init__.pyi``."""
    entries = list(all_verbs().values())
    groups = [name for name in GROUPS if GROUPS[name].by_kind]
    names = sorted(["CassError", "__version__", *api.OTHER_FUNCTIONS, *api.function_names()])
    imports: dict[str, set[str]] = {}
    for entry in entries:
        imports.setdefault(result_class(entry).__module__, set()).add(entry.result)
    lines = [
        '"""cass: see __init__.py. Written by `make reference`; do not edit."""',
        "",
        "from pathlib import Path",
        f"from typing import Any, Literal{', overload' if groups else ''}",
        "",
        "from cass.errors import CassError as CassError",
        *(f"from cass.api import {name} as {name}" for name in api.OTHER_FUNCTIONS),
        "from cass.version import __version__ as __version__",
        *(f"from {module} import {', '.join(sorted(found))}" for module, found in imports.items()),
        "",
        f"__all__ = {names!r}",
        "",
        *_stub_functions(entries),
    ]
    return _formatted("\n".join(lines))


def _stub_functions(entries: list[Verb]) -> Iterator[str]:
    """Yield each function; kinds of the same settings and result share an overload."""
    for entry in entries:
        kind = api.kind_of(entry)
        alike = [other for other in entries if (other.config, other.result) == (entry.config, entry.result)]
        if kind is None:
            yield _stub_function(entry, first=[], summary=entry.summary)
        elif entry == alike[0]:
            kinds = ", ".join(repr(api.kind_of(other)) for other in alike)
            summary = entry.summary if len(alike) == 1 else GROUPS[api.function_name(entry)].summary
            yield "@overload\n" + _stub_function(entry, first=[f"kind: Literal[{kinds}]", "/"], summary=summary)


def _stub_function(entry: Verb, *, first: list[str], summary: str) -> str:
    parts = list(first)
    for name, parameter in api.signature(entry).parameters.items():
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY and "*" not in parts:
            parts.append("*")
        parts.append(f"{name}: {parameter.annotation}{_stub_default(entry, name)}")
    head = f"def {api.function_name(entry)}({', '.join(parts)}) -> {entry.result}:"
    return f'{head}\n    """{summary}"""\n'


def _stub_default(entry: Verb, name: str) -> str:
    if name == "config":
        return " = None"
    default = wording.python_default(entry.config.model_fields[name])
    return f" = {default}" if default else ""


def _formatted(text: str) -> str:
    """Format Python text as ``ruff format`` does, which keeps it stable."""
    import subprocess

    ruff = Path(sys.executable).with_name("ruff")
    sort = [str(ruff), "check", "--quiet", "--fix", "--select", "I,RUF022", "--stdin-filename", str(STUB), "-"]
    layout = [str(ruff), "format", "--quiet", "--stdin-filename", str(STUB), "-"]
    for line in (sort, layout):
        text = subprocess.run(line, input=text, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    return text


# The command line


def overview() -> str:
    """Return the table of commands."""
    return table(
        ["Command", "What it does"],
        (
            [f"[`cass {entry.name}`](#{_anchor(f'cass {entry.name}')})", entry.summary]
            for entry in all_verbs().values()
        ),
    )


def common_options() -> str:
    """Return the table of the options that every command has."""
    options = {"--config FILE": CONFIG_HELP, "--quiet, -q": QUIET, "--verbose, -v": VERBOSE}
    options["--help, -h"] = "Show the help of the command."
    return table(["Option", "Meaning"], ([f"`{option}`", text] for option, text in options.items()))


def commands() -> str:
    """Return a section for each command."""
    return "\n\n".join(_command(entry) for entry in all_verbs().values())


def _command(entry: Verb) -> str:
    usage = " ".join(["cass", entry.name, "[OPTIONS]", *(f"[{word}]" for word in entry.arguments.values())])
    if entry.name in GROUPS:
        usage = usage.replace("[OPTIONS] ", "") + " [OPTIONS]"
    fields = entry.config.model_fields
    positional = [[f"`{word}`", _prose(fields[name])] for name, word in entry.arguments.items()]
    options = [
        [
            " ".join(f"`{flag}`" for flag in option_names(name, fields[name])),
            _words(value_word(fields[name])),
            _default(entry, name),
            wording.bounds(fields[name]),
            _prose(fields[name]),
        ]
        for name in setting_names(entry)
        if name not in entry.arguments
    ]
    if entry.forecaster:
        options.append(["`--dry-run`", "", "", "", DRY_RUN])
    parts = [f"### cass {entry.name}", entry.summary, f"```bash\n{entry.example}\n```", f"Usage: `{usage}`"]
    if positional:
        parts.append(table(["Argument", "Meaning"], positional))
    parts.append(table(["Option", "Value", "Default", "Bounds", "Meaning"], options))
    return "\n\n".join(parts)


def _words(word: str | None) -> str:
    return "" if word is None else ", ".join(word.split("|"))


def _default(entry: Verb, name: str) -> str:
    field = entry.config.model_fields[name]
    if field.is_required():
        return "required"
    shown = wording.default(field)
    return f"`{shown}`" if shown else ""


# Methods


def methods() -> str:
    """Return the table of methods."""
    return table(
        ["Method", "Trains", "Views of an image", "Source"],
        ([f"`{name}`", _trains(kind), _views(kind), _source(kind)] for name, kind in _methods()),
    )


def method_settings() -> str:
    """Return the table of the settings of every method."""
    rows = []
    for name, kind in _methods():
        for setting, field in kind.Config.model_fields.items():
            shown = wording.default(field)
            rows.append([f"`{name}`", f"`{setting}`", f"`{shown}`", wording.bounds(field), _prose(field)])
    return table(["Method", "Setting", "Default", "Bounds", "Meaning"], rows)


def _methods() -> Iterator[tuple[str, Any]]:
    """Yield every method with its option: the method of the paper first, then the others by name."""
    from cass.methods import METHODS

    variants = METHODS.variants()
    for name, objective in sorted(variants, key=lambda key: (key[0] != "cass", key[0])):
        option = f"{name} --objective {objective}" if objective else name
        yield option, variants[name, objective]


def _trains(kind: Any) -> str:
    if kind.takes == ("both",):
        return "both branches together"
    return "each branch separately" if "cnn" in kind.takes else "the Transformer only"


def _views(kind: Any) -> str:
    from cass.transforms.recipes import RECIPES

    recipe = RECIPES[kind.default_views]
    small = f" large crops, {recipe.num_small} small crops" if kind.takes_small else ""
    return f"{kind.num_views}{small}; recipe `{kind.default_views}`"


def _source(kind: Any) -> str:
    """Return the source that the docstring of the method's module names."""
    text = sys.modules[kind.__module__].__doc__ or ""
    found = re.search(r"Source: (.*?)(?:\n\n|\Z)", text, re.DOTALL)
    return " ".join(found[1].split()) if found else "[The method](../explanation/method.md)"


# Python


def functions() -> str:
    """Return a section for each Python function."""
    sections = []
    for name in api.function_names():
        entries = [entry for entry in all_verbs().values() if api.function_name(entry) == name]
        if api.kind_of(entries[0]) is None:
            sections.append(_function(entries[0], heading=f"### cass.{name}"))
            continue
        group = GROUPS[name]
        sections.append(f"### cass.{name}\n\n{group.summary} The first argument is the kind.")
        sections += [_function(entry, heading=f"#### cass.{name}: {api.kind_of(entry)}") for entry in entries]
    return "\n\n".join(sections)


def _function(entry: Verb, *, heading: str) -> str:
    fields = entry.config.model_fields
    kind = api.kind_of(entry)
    head = [f'"{kind}"'] if kind else []
    parameters = api.signature(entry).parameters
    positional = [n for n, p in parameters.items() if p.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD]
    required = [f"{n}=..." for n in parameters if n not in positional and n in fields and fields[n].is_required()]
    call = ", ".join([*head, *positional, *required, "..."])
    rows = [
        [
            f"`{name}`",
            _code_of_type(str(parameter.annotation)),
            _default(entry, name) if name in fields else "",
            wording.bounds(fields[name]) if name in fields else "",
            _prose(fields[name]) if name in fields else api.CONFIG_ARGUMENT,
        ]
        for name, parameter in parameters.items()
    ]
    raised = table(["Raises", "When"], ([f"`{name}`", text] for name, text in api.raises(entry).items()))
    return "\n\n".join(
        [
            heading,
            entry.summary,
            f"```python\nimport cass\n\nresult = {api.example(entry)}\n```",
            f"`cass.{api.function_name(entry)}({call})` returns "
            f"[`{entry.result}`](#{result_class(entry).__module__}.{entry.result}): {_lower(entry.returns)}",
            table(["Keyword", "Type", "Default", "Bounds", "Meaning"], rows),
            raised,
        ]
    )


def results() -> str:
    """Return a mkdocstrings block for each result class."""
    found = {result_class(entry) for entry in all_verbs().values()}
    order = {name: position for position, name in enumerate(entry.result for entry in all_verbs().values())}
    classes = sorted(found, key=lambda kind: order[kind.__name__])
    return "\n\n".join(f"::: {kind.__module__}.{kind.__name__}" for kind in classes)


def result_class(entry: Verb) -> type[Any]:
    """Import the result class of a verb."""
    found: type[Any] = getattr(import_module(entry.runner.partition(":")[0]), entry.result)
    return found


def _code_of_type(text: str) -> str:
    """Write a type without a pipe, which would end a cell."""
    return " or ".join(f"`{part}`" for part in text.split(" | "))


def _prose(field: FieldInfo) -> str:
    """Return a description; brackets in it are no links."""
    return str(field.description).replace("[", r"\[").replace("]", r"\]")


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def table(head: list[str], rows: Iterable[list[Any]]) -> str:
    """Write a Markdown table; columns that are empty throughout are left away."""
    rows = [[" ".join(str(cell).replace("|", r"\|").split()) for cell in row] for row in rows]
    kept = [i for i in range(len(head)) if any(row[i] for row in rows)]
    lines = [[head[i] for i in kept], ["---"] * len(kept), *([row[i] for i in kept] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


def main() -> None:
    """Write every generated file that changed."""
    for path, text in generated_files().items():
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(f"Wrote {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
