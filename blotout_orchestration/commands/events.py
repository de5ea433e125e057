"""`blotout land`, `blotout events pending` and `blotout events replay-bad`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from blotout_orchestration.commands.common import columns, current_settings, echo
from blotout_orchestration.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from blotout_orchestration.events.landing import LandingReport
    from blotout_orchestration.lake import Lake
    from blotout_orchestration.settings import Settings

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
    lake = Lake(current_settings())
    report = landing.land(lake, paths, received_at=moment, progress=_progress)
    echo(
        f"{report.files_read} files read: {report.files_landed} landed, {report.files_skipped} skipped"
        " (landed before)"
    )
    if report.files_empty:
        _warn(f"{report.files_empty} file{'s' if report.files_empty > 1 else ''} held no line")
    if report.lines:
        echo(f"{report.lines} lines sorted into their hours")
    echo(f"{report.bytes_landed} bytes landed, {len(report.hours)} hours of arrival")
    if report.hours:
        echo(f"first hour {min(report.hours):%Y-%m-%dT%H}, last hour {max(report.hours):%Y-%m-%dT%H}, UTC")
    for name in report.renamed:
        _warn(f"{name}: the name was taken by other content, landed beside it")
    for name, damage in report.damaged.items():
        _warn(f"{name}: {damage}; what could be read was landed")
    for text in _doubts(report, lake.settings):
        _warn(text)


def _doubts(report: LandingReport, settings: Settings) -> Iterator[str]:
    """What is odd about the times of what was landed; nothing of it was left out."""
    from blotout_orchestration.events.arrival import left_out

    if report.misdated is not None:
        file, line = report.misdated
        yield (
            f"lines whose received_at cannot be read or is far off: {report.lines_misdated}, the first {file}, line"
            f" {line}; they landed in the hour of this landing"
        )
    if report.no_hour:
        yield (
            f"files whose folders name no hour of the calendar: {len(report.no_hour)}, the first {report.no_hour[0]};"
            " their lines went to the hour of their received_at"
        )
    yield from left_out(settings, report.hours)


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
    from blotout_orchestration.events.arrival import left_out
    from blotout_orchestration.events.processing import pending_hours
    from blotout_orchestration.lake import Lake
    from blotout_orchestration.lake.layers import list_landed

    lake = Lake(current_settings())
    is_empty = _is_empty(lake)
    hours = [] if is_empty else pending_hours(lake)
    for hour in hours:
        echo(f"{hour:%Y-%m-%dT%H}")
    typer.echo(f"{len(hours)} hour{'' if len(hours) == 1 else 's'} pending", err=True)
    if not is_empty:
        for text in left_out(lake.settings, list_landed(lake.layer("landing"))):
            _warn(text)


@events_app.command("replay-bad")
def replay_bad(
    hours: Annotated[
        str | None,
        typer.Option(
            "--hours", metavar="FROM..TO", help="Only these hours of arrival, both ends included, UTC."
        ),
    ] = None,
    reason: Annotated[
        str | None, typer.Option("--reason", help="Only hours with events refused for this reason.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would become of them.")] = False,
) -> None:
    """Run the refused events again, after a fix of what refused them."""
    from blotout_orchestration.events import replay
    from blotout_orchestration.lake import Lake
    from blotout_orchestration.platform.hours import parse_hours

    interval = parse_hours(hours) if hours is not None else None
    settings = current_settings()
    lake = Lake(settings)
    is_empty = _is_empty(lake)
    if reason is not None:
        replay.check_reason(reason, None if is_empty else lake)
    if is_empty:
        echo("there are no bad events: nothing has landed yet")
        return
    wanted = replay.replayable_hours(lake, *interval) if interval else None
    if wanted == []:
        echo("these hours hold no bad events")
        return
    report = replay.replay_bad(
        lake,
        hours=wanted,
        reason=reason,
        dry_run=dry_run,
        engine=settings.events_engine,
        progress=_progress,
    )
    rows = [(name, str(count), str(report.after[name])) for name, count in report.before.most_common()]
    rows += [(name, "0", str(count)) for name, count in report.after.items() if name not in report.before]
    if rows:
        echo(columns(("reason", "before", "after"), rows) + "\n")
    replayed = len(report.hours_from_landing) + len(report.hours_from_raw)
    state = "would be recovered (dry run)" if dry_run else "recovered"
    echo(f"{report.recovered} of {report.before.total()} bad events {state} in {replayed} hours")


def _is_empty(lake: Lake) -> bool:
    """Whether nothing has landed in an embedded lake; opening its catalog would make a home."""
    from blotout_orchestration.lake.layers import list_first_hour

    settings = lake.settings
    made = settings.catalog_uri is not None or (settings.blotout_home / "catalog.db").exists()
    return not made and list_first_hour(lake.layer("landing")) is None
