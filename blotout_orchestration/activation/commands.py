"""`blotout activation`: dry-run, sync, cancel.

Belongs here: words around sync.py. Adding and testing channels is `blotout channels`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated
from uuid import uuid4

import typer

from blotout_orchestration.errors import UsageError

if TYPE_CHECKING:
    from blotout_orchestration.activation.report import SyncReport
    from blotout_orchestration.platform.registry.channel import Channel
    from blotout_orchestration.settings import Settings

activation_app = typer.Typer(no_args_is_help=True, help="Run, stop and reset activation channels.")

Name = Annotated[str, typer.Argument(metavar="CHANNEL", help="Name of the channel in the registry.")]


@activation_app.command("dry-run")
def dry_run_command(
    name: Name,
    replay: Annotated[bool, typer.Option("--replay", help="As if unchanged rows were sent too.")] = False,
) -> None:
    """Show what a sync of CHANNEL would do now, with a masked sample; send nothing."""
    _show(_sync(name, dry_run=True, replay=replay))


@activation_app.command("sync")
def sync_command(
    name: Name,
    replay: Annotated[bool, typer.Option("--replay", help="Send unchanged rows too.")] = False,
    reset: Annotated[
        bool, typer.Option("--reset", help="Forget first what the destination holds of us; see the docs.")
    ] = False,
    confirm: Annotated[
        bool, typer.Option("--confirm-large-change", help="The empty or much smaller audience is right.")
    ] = False,
) -> None:
    """Sync CHANNEL here and now, outside Dagster; its own run and this one exclude each other."""
    _show(_sync(name, replay=replay, reset=reset, confirm_large_change=confirm))


@activation_app.command("cancel")
def cancel_command(name: Name) -> None:
    """Let the sync of CHANNEL that is under way stop after its present batch."""
    from blotout_orchestration.activation.workspace import Workspace

    settings, _ = _channel(name)
    Workspace(settings, name).ask_to_cancel()
    typer.echo(f"{name}: the sync under way stops after its present batch")


def _channel(name: str) -> tuple[Settings, Channel]:
    from blotout_orchestration.commands.common import current_settings
    from blotout_orchestration.platform.registry import live_channels

    settings = current_settings()
    channels = live_channels(settings)
    if name not in channels:
        raise UsageError(f"there is no channel {name}; there are: {', '.join(sorted(channels)) or 'none'}")
    return settings, channels[name]


def _sync(
    name: str,
    *,
    dry_run: bool = False,
    replay: bool = False,
    reset: bool = False,
    confirm_large_change: bool = False,
) -> SyncReport:
    from blotout_orchestration.activation.sync import sync_channel
    from blotout_orchestration.lake import Lake

    settings, channel = _channel(name)
    return sync_channel(
        settings,
        Lake(settings),
        channel,
        f"command-{uuid4().hex[:12]}",
        dry_run,
        replay=replay,
        reset=reset,
        confirm_large_change=confirm_large_change,
        progress=lambda text: typer.echo(f"  {text}"),
    )


def _show(report: SyncReport) -> None:
    typer.echo(
        f"{report.channel}: {report.state}; {report.source_rows} rows = {report.sent} sent + {report.unchanged}"
        f" unchanged + {report.invalid} invalid + {report.unsent} unsent; {report.withheld} withheld"
    )
    if report.state == "dry_run":
        typer.echo(f"  {report.creates} to create, {report.updates} to update, {report.removals} to remove")
    else:
        typer.echo(f"  {report.removed} removals; {report.accepted} accepted, {report.rejected} rejected")
    for what, reasons in (("invalid", report.invalid_reasons), ("rejected", report.rejected_reasons)):
        for reason, count in reasons.items():
            typer.echo(f"  {what}: {count} x {reason}")
    for row in report.sample:
        typer.echo("  " + ", ".join(f"{name}={value}" for name, value in row.items()))
