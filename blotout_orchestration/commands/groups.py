"""How commands are grouped: errors as one message, and domains that are loaded at their first use.

Belongs here: the two kinds of group. Does not belong here: any single command.
"""

from __future__ import annotations

import traceback
from importlib import import_module
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup

from blotout_orchestration.errors import BlotoutError

if TYPE_CHECKING:
    from typer._click import Command, Context


class ErrorsAsMessages(TyperGroup):
    """The group of all commands: a BlotoutError ends it with one message, or a traceback with `--debug`."""

    def invoke(self, ctx: Context) -> Any:
        """Run the command; what people can mend is printed to standard error."""
        try:
            return super().invoke(ctx)
        except BlotoutError as error:
            if ctx.params.get("debug"):
                traceback.print_exc()
            typer.secho(f"blotout: {error}", fg=typer.colors.RED, err=True)
            raise typer.Exit(error.exit_code) from None


def domain_group(module: str, app: str) -> type[TyperGroup]:
    """A group whose commands are those of a domain's Typer app, imported when one of them is asked for.

    A domain that cannot be imported ends its own commands with a BlotoutError and no others.
    """

    class DomainGroup(TyperGroup):
        def _load(self) -> None:
            if self.commands:
                return
            try:
                commands = typer.main.get_group(getattr(import_module(module), app)).commands
            except Exception as error:
                reason = f"{type(error).__name__}: {error}"
                raise BlotoutError(f"the commands of {self.name} cannot be loaded: {reason}") from error
            self.commands.update(commands)

        def list_commands(self, ctx: Context) -> list[str]:
            self._load()
            return super().list_commands(ctx)

        def get_command(self, ctx: Context, cmd_name: str) -> Command | None:
            self._load()
            return super().get_command(ctx, cmd_name)

    return DomainGroup
