"""`blotout web` and `blotout users`: the Dagster UI behind a login, and the people who may come in.

Belongs here: options, prompts and what is printed. Does not belong here: the door itself (`web/`).
"""

from __future__ import annotations

import getpass
import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from blotout_orchestration.commands.common import ListFormat, columns, current_settings, echo
from blotout_orchestration.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from blotout_orchestration.settings import Settings

users_app = typer.Typer(no_args_is_help=True, help="People who may log in to `blotout web`.")
PREFIX = "/dagster"


def web(
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Port to listen on.")] = 3000,
    path_prefix: Annotated[
        str | None,
        typer.Option(
            "--path-prefix", help=f"Path of the UI; default that of DAGSTER_ADDRESS, else {PREFIX}."
        ),
    ] = None,
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    daemon: Annotated[
        bool, typer.Option("--daemon/--no-daemon", help="Run schedules and sensors, too.")
    ] = True,
) -> None:
    """Start Dagster (webserver behind a login, daemon, code location) until Ctrl+C."""
    settings = current_settings()
    from blotout_orchestration.analytics.dbt_project import ensure_manifest
    from blotout_orchestration.commands.ui import require_free_port, take_home
    from blotout_orchestration.platform.home import REPOSITORY, open_instance, prepare_home
    from blotout_orchestration.settings import exported, read_settings
    from blotout_orchestration.web.access import access_of
    from blotout_orchestration.web.address import address_of
    from blotout_orchestration.web.services import check_start, serve

    if path_prefix is None:
        path_prefix = address_of(settings.dagster_address).prefix or PREFIX
    access = access_of(settings, prefix=path_prefix, current=read_settings)
    check_start(access, host)
    require_free_port(host, port)
    home = prepare_home(settings)
    take_home(settings, home / "ui.process", daemon)
    echo("preparing the dbt manifest")
    ensure_manifest(settings)
    if access.address.origin is None:
        echo("DAGSTER_ADDRESS is on this machine, so only this machine can reach the UI (loopback address)")
        echo(f"Dagster behind a login on http://localhost:{port}{path_prefix}/, its home is {home}")
    else:
        if not access.address.is_secure:
            echo(
                "warning: DAGSTER_ADDRESS is http://, so passwords and cookies cross the network unencrypted"
            )
        echo(f"Dagster behind a login on {access.address.origin}{path_prefix}/, listening on {host}:{port}")
    with (
        exported({"DAGSTER_HOME": str(home), "BLOTOUT_HOME": str(settings.blotout_home.absolute())}),
        open_instance(settings) as instance,
    ):
        serve(access, instance, REPOSITORY / "workspace.yaml", host, port, daemon)


Name = Annotated[str, typer.Argument(help="Lower-case letters, digits, `.`, `_` and `-`.")]


@users_app.command("add")
def add(
    name: Name,
    role: Annotated[str, typer.Option("--role", help="viewer, launcher or editor")],
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Change somebody who is there already.")] = False,
) -> None:
    """Add somebody, or give somebody another role and password (which ends the sessions)."""
    settings = current_settings()
    from blotout_orchestration.web.roles import Role
    from blotout_orchestration.web.users import User, check_name, editing, hash_password, read_users_file

    try:
        name, chosen = check_name(name), Role(role)
    except ValueError as error:
        roles = f"; roles are {', '.join(Role)}" if role not in list(Role) else ""
        raise UsageError(f"{error}{roles}") from None
    path = _file(settings)
    if name in read_users_file(path) and not replace:
        raise UsageError(f"{name} is there already; add --replace for another role or password")
    user = User(role=chosen, password=hash_password(_password(password_stdin)))
    with editing(path) as users:
        users[name] = user
    _record(settings, "users add", name, role=chosen.value)
    echo(f"{name} may log in as {chosen}; it holds within seconds, also where `blotout web` runs already")


@users_app.command("remove")
def remove(name: Name) -> None:
    """Remove somebody, which ends the sessions as well."""
    settings = current_settings()
    from blotout_orchestration.web.users import editing

    with editing(_file(settings)) as users:
        if name not in users:
            raise UsageError(f"there is no user {name}; `blotout users list` shows who there is")
        del users[name]
    _record(settings, "users remove", name)
    echo(f"{name} may not log in any more; sessions end within seconds")


@users_app.command("list")
def list_users(
    output: Annotated[ListFormat, typer.Option("--format", help="How to print the list.")] = ListFormat.TABLE,
) -> None:
    """Show who may log in, with which role, and where that is written."""
    settings = current_settings()
    from blotout_orchestration.web.directory import read_accounts
    from blotout_orchestration.web.users import ADMIN, users_file

    place = settings.web_users_secret or str(users_file(settings))
    rows = [
        (name, account.role.value, "DAGSTER_PASSWORD or Secrets Manager" if name == ADMIN else place)
        for name, account in sorted(read_accounts(settings).items())
    ]
    if output is ListFormat.JSON:
        echo(json.dumps([dict(zip(("name", "role", "source"), row, strict=True)) for row in rows], indent=2))
    else:
        echo(
            columns(("name", "role", "source"), rows)
            if rows
            else "nobody yet; `blotout users add` adds people"
        )


def _file(settings: Settings) -> Path:
    from blotout_orchestration.web.users import users_file

    if settings.web_users_secret:
        raise UsageError(
            f"the users come from {settings.web_users_secret}; change them there. To make an entry, unset "
            "WEB_USERS_SECRET, add the user here and copy it from users.yaml"
        )
    return users_file(settings)


def _password(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))


def _record(settings: Settings, action: str, name: str, **details: str) -> None:
    from blotout_orchestration.platform.database import audit

    audit.record(
        settings,
        actor=f"{getpass.getuser()} (shell)",
        action=action,
        target=name,
        outcome="done",
        details=details,
    )
