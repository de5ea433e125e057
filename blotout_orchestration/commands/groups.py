"""How commands are grouped: errors as one message, and domains that are loaded at their first use.

Belongs here: the two kinds of group, and which errors of files and databases are told in one sentence. Does not
belong here: any single command.
"""

from __future__ import annotations

import errno
import sqlite3
import sys
import traceback
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup

from blotout_orchestration.errors import INTERRUPTED_QUERY, BlotoutError

if TYPE_CHECKING:
    from typer._click import Command, Context


class ErrorsAsMessages(TyperGroup):
    """The group of all commands: an error that people can mend ends it with one message.

    Those are a BlotoutError, a file that cannot be read or written, a database file that cannot be opened or
    changed. With `--debug` the traceback comes before it. Ctrl-C ends a command with 130, during a query too.
    """

    def invoke(self, ctx: Context) -> Any:
        """Run the command; what people can mend is printed to standard error."""
        try:
            return super().invoke(ctx)
        except BlotoutError as error:
            raised: Exception = error
            message, code = str(error), error.exit_code
        except Exception as error:
            if str(error) == INTERRUPTED_QUERY:
                raise KeyboardInterrupt from None
            found = _of_the_ground(error)
            if found is None:
                raise
            raised, message, code = error, found, 1
        if ctx.params.get("debug"):
            traceback.print_exception(raised)
        typer.secho(f"blotout: {message}", fg=typer.colors.RED, err=True)
        raise typer.Exit(code)


def _of_the_ground(error: Exception) -> str | None:
    """What a file, a folder or a database answered, with where to look; None for a defect of ours."""
    is_local = True
    if isinstance(error, OSError):
        if error.errno == errno.EPIPE:
            return None
        is_local = error.filename is not None
        text = f"{error.filename}: {error.strerror}" if is_local and error.strerror else str(error)
    elif _is_a("sqlalchemy.exc", "OperationalError", error):
        answer = getattr(error, "orig", error)
        is_local = isinstance(answer, sqlite3.Error)
        text = f"the database answers: {answer}"
    elif _is_a("duckdb", "IOException", error):
        text = str(error)
    else:
        return None
    told = " ".join(text.split()) or type(error).__name__
    advice = _where_to_look(text, is_local)
    return f"{told}; {advice}" if advice else told


def _is_a(module: str, name: str, error: Exception) -> bool:
    """Whether an error is of a class of a library; one that was not imported has raised nothing."""
    loaded = sys.modules.get(module)
    return loaded is not None and isinstance(error, getattr(loaded, name))


def _where_to_look(text: str, is_local: bool) -> str | None:
    """Advice on a file of this machine; None for what a network or a server answers."""
    from blotout_orchestration.settings import load_settings

    with suppress(BlotoutError):
        home = str(load_settings().blotout_home.absolute())
        if home in text:
            return f"check BLOTOUT_HOME ({home}): it must be a folder that can be read and written"
        if is_local:
            return f"check the path and its permissions, and BLOTOUT_HOME ({home})"
    return "check the path and its permissions" if is_local else None


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
