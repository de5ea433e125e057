"""`blotout land`, `blotout events pending` and `blotout events replay-bad`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from blotout_orchestration.commands.common import current_settings, echo

events_app = typer.Typer(
    no_args_is_help=True, help="The click stream: pending hours, events that were refused."
)


def land(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH...", help="Files of JSON lines, plain or gz, or folders of them.", exists=True
        ),
    ],
) -> None:
    """Put requests or bare bodies into the landing layer; folders by arrival hour keep their hours."""
    from blotout_orchestration.events import landing
    from blotout_orchestration.lake import Lake

    report = landing.land(Lake(current_settings()), paths)
    echo(str(report))


@events_app.command("pending")
def pending() -> None:
    """List the landed hours that are not processed yet, or changed since."""
    from blotout_orchestration.events.processing import pending_hours
    from blotout_orchestration.lake import Lake

    hours = list(pending_hours(Lake(current_settings())))
    for hour in hours:
        echo(f"{hour:%Y-%m-%dT%H}")
    typer.echo(f"{len(hours)} hour{'' if len(hours) == 1 else 's'} pending", err=True)


@events_app.command("replay-bad")
def replay_bad() -> None:
    """Run the refused events again, after a fix of what refused them."""
    from blotout_orchestration.events import replay
    from blotout_orchestration.lake import Lake

    echo(str(replay.replay_bad(Lake(current_settings()))))
