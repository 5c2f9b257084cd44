"""``cass benchmark SPEC.yaml`` beside ``cass benchmark speed``."""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup

SPEC = "SPEC.yaml"
"""Name of the command that takes a file; it stands for the file in the list of commands."""


class SpecOrCommand(TyperGroup):
    """A group whose first word may be a file instead of a command."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Hand everything that names no command to the command that takes a file."""
        if args and args[0] not in self.commands and args[0] not in ("--help", "-h"):
            args = [SPEC, *args]
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Find the command; the one that takes a file has no name of its own in its help."""
        name, found, rest = super().resolve_command(ctx, args)
        return ("" if name == SPEC else name), found, rest
