"""`blotout land`, `blotout events pending` and `blotout events replay-bad`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from blotout_orchestration.commands.common import current_settings, echo
from blotout_orchestration.errors import UsageError

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
    received_at: Annotated[
        str | None,
        typer.Option(
            "--received-at",
            metavar="TIME",
            help="Time of arrival, ISO 8601, of lines that carry none and lie in no hour's folder; default now.",
        ),
    ] = None,
) -> None:
    """Put requests or bare bodies into the landing layer; folders by arrival hour keep their hours."""
    from blotout_orchestration.events import landing
    from blotout_orchestration.lake import Lake

    moment = _moment(received_at) if received_at is not None else None
    report = landing.land(Lake(current_settings()), paths, received_at=moment, progress=_progress)
    echo(
        f"{report.files_read} files read: {report.files_landed} landed, {report.files_skipped} skipped"
        " (landed before)"
    )
    echo(f"{report.lines} lines, {report.bytes_landed} bytes, {len(report.hours)} hours of arrival")
    if report.hours:
        echo(f"first hour {min(report.hours):%Y-%m-%dT%H}, last hour {max(report.hours):%Y-%m-%dT%H}, UTC")
    for name in report.renamed:
        _warn(f"{name}: the name was taken by other content, landed beside it")
    for name, damage in report.damaged.items():
        _warn(f"{name}: {damage}; what could be read was landed")


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise UsageError(f"--received-at {text}: expected a date and time such as 2026-03-05T17:30") from None


def _progress(message: str) -> None:
    typer.echo(message, err=True)


def _warn(message: str) -> None:
    typer.secho(f"warning: {message}", fg=typer.colors.YELLOW, err=True)


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
