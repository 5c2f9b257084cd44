"""The commands, one for each verb. What they compute with is imported when they run: help answers at once."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from cass.api import execute, forecast, shown
from cass.cli.options import command
from cass.cli.usage import file_or_command
from cass.config.verbs import GROUPS, Verb, all_verbs
from cass.version import __version__

HELP = (
    "Train label-efficient classifiers on a folder of mostly unlabelled medical images. Nothing leaves this "
    "machine."
)


class _InOrder(TyperGroup):
    """Lists commands in the order of the table of verbs."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names, groups among commands."""
        return list(dict.fromkeys(entry.name.split()[0] for entry in all_verbs().values()))


def build_app() -> typer.Typer:
    """Make the application from the table of verbs."""
    app = typer.Typer(
        cls=_InOrder,
        name="cass",
        help=HELP,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_options_of_cass)
    groups: dict[str, typer.Typer] = {}
    for entry in all_verbs().values():
        if entry.group is None and entry.name not in GROUPS:
            app.command(entry.name)(_command(entry))
            continue
        name = entry.group or entry.name
        if name not in groups:
            groups[name] = _group(name)
            app.add_typer(groups[name], name=name)
        groups[name].command(entry.word if entry.group else _file_word(entry))(_command(entry))
    return app


def run_verb(entry: Verb, config: Any) -> None:
    """Do the work of a verb and print its result.

    Args:
        entry: The verb.
        config: Its settings.

    Raises:
        Exit: Where the result asks for an exit code other than 0.
    """
    result = execute(entry, config)
    for part in shown(entry, result, config):
        if isinstance(part, str):
            typer.echo(part)
        else:
            _print_table(part)
    if code := getattr(result, "exit_code", 0):
        raise typer.Exit(code)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"cass {__version__}")
        raise typer.Exit()


_VERSION = typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_print_version)


def _options_of_cass(version: Annotated[bool, _VERSION] = False) -> None:
    """Take the options that come before the command."""


def _command(entry: Verb) -> Any:
    return command(entry, lambda config: run_verb(entry, config), lambda config: _print_forecast(entry, config))


def _print_forecast(entry: Verb, config: Any) -> None:
    for line in forecast(entry, config):
        typer.echo(line)


def _group(name: str) -> typer.Typer:
    """Make a group of commands; where a verb has the group's own name, a file may take a command's place."""
    group, own = GROUPS[name], all_verbs().get(name)
    settings: dict[str, Any] = {"help": group.summary, "no_args_is_help": True, "rich_markup_mode": None}
    if own is not None:
        word = _file_word(own)
        settings |= {"cls": file_or_command(word), "subcommand_metavar": f"{word}|COMMAND"}
    return typer.Typer(**settings)


def _file_word(entry: Verb) -> str:
    return next(iter(entry.arguments.values()))


def _print_table(cells: Any) -> None:
    from dataclasses import replace

    from rich.console import Console

    if cells.title:
        typer.echo(cells.title)  # it may be longer than the table is wide
    console = Console()
    if not console.is_terminal:  # a file has no edge that could cut a table off
        console = Console(width=max(console.width, cells.width))
    if cells.least_width > console.width:
        typer.echo(cells.stacked())
    else:
        console.print(replace(cells, title="").rich())
