"""Usage errors in one line, and groups of commands that take a file in place of a command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

from cass.errors import did_you_mean

USAGE_ERROR: type[Exception] = typer.BadParameter.__mro__[1]
"""What Typer raises for a command line that it cannot parse."""


def usage_message(error: Any) -> str:
    """Describe a usage error in one line, with the fix.

    Args:
        error: The exception, of the kind :data:`USAGE_ERROR`.

    Returns:
        ``Error: ...``; the help of a group that was called without a command.
    """
    text: str = error.format_message()
    if type(error).__name__ == "NoArgsIsHelpError":
        return text
    command = error.ctx.command_path if error.ctx else "cass"
    option = getattr(error, "option_name", None)
    line = " ".join(text.split()).rstrip(".")
    if option is not None and line.startswith("No such option"):
        known = [name for param in error.ctx.command.params for name in (*param.opts, *param.secondary_opts)]
        hint = did_you_mean(option, [name for name in known if name.startswith("--")])
        line = f"No such option: {option}"
    elif "unexpected extra argument" in line and len(files := _files_among(line)) > 0:
        hint = f"Several files? Put the pattern in quotes, such as '*{files[0].suffix}', or give their folder."
    else:
        hint = ""
    if "Did you mean" in line:
        return f"Error: {line}" if line.endswith("?") else f"Error: {line}."
    return f"Error: {line}. {hint or f'Run {command} --help for what it takes.'}"


def _files_among(line: str) -> list[Path]:
    """Return the files that a message about further arguments names, which a shell made of a pattern."""
    words = line.partition("(")[2].rstrip(")").split()
    return [Path(word) for word in words if Path(word).is_file()]


class FileOrCommand(TyperGroup):
    """A group whose first word may be a file in place of a command.

    Attributes:
        file_word: Name of the command that takes the file; it stands for the file in help.
    """

    file_word = ""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Hand everything that names no command to the command that takes a file."""
        if args and args[0] not in self.commands and args[0] not in ("--help", "-h"):
            args = [self.file_word, *args]
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Find the command; the one that takes a file has no name of its own in its help."""
        name, found, rest = super().resolve_command(ctx, args)
        return ("" if name == self.file_word else name), found, rest


def file_or_command(word: str) -> type[TyperGroup]:
    """Make a group whose first word may be a file.

    Args:
        word: What stands for the file in help, such as ``SPEC.yaml``.
    """
    return type("FileOrCommand", (FileOrCommand,), {"file_word": word})
