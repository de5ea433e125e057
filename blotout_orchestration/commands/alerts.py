"""`blotout alerts`: what was told and what waits, a test alert, and delivering by hand.

Belongs here: the commands. Does not belong here: finding troubles, which the sensor `alerts` does.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated

import typer

from blotout_orchestration.commands.common import ListFormat, columns, current_settings, echo
from blotout_orchestration.errors import BlotoutError

alerts_app = typer.Typer(no_args_is_help=True)


class UndeliveredError(BlotoutError):
    """An alert was not taken by its transport."""


@alerts_app.command("list")
def list_alerts(
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="How many, newest first.")] = 20,
    format: Annotated[ListFormat, typer.Option("--format", help="How to print them.")] = ListFormat.TABLE,
) -> None:
    """The newest alerts: when, what, how often since, whether delivered, and why not."""
    from blotout_orchestration.platform.alerts import outbox

    rows = [
        {
            "created_at": row.created_at.isoformat(timespec="seconds"),
            "subject": row.subject,
            "transport": row.transport,
            "suppressed": row.suppressed,
            "delivered_at": row.delivered_at.isoformat(timespec="seconds") if row.delivered_at else None,
            "attempts": row.attempts,
            "last_error": row.last_error,
        }
        for row in outbox.newest(current_settings(), limit)
    ]
    if format is ListFormat.JSON:
        echo(json.dumps(rows, indent=2))
    elif rows:
        header = ("CREATED (UTC)", "BY", "REPEATED", "STATE", "ALERT")
        echo(columns(header, [_cells(row) for row in rows]))
    else:
        echo("no alerts yet")


@alerts_app.command("test")
def test() -> None:
    """Send a test alert to ALERT_RECIPIENTS and ALERT_WEBHOOK now; fails when one does not take it."""
    from blotout_orchestration.platform.alerts import outbox
    from blotout_orchestration.platform.alerts.delivery import deliver
    from blotout_orchestration.platform.alerts.troubles import Trouble

    settings, now = current_settings(), datetime.now(UTC)
    trouble = Trouble(
        kind="failed run",
        source=f"test:{now.isoformat()}",
        subject=f"a test of the alerts, {now:%Y-%m-%d %H:%M:%S}",
        occurred_at=now,
        # The fingerprint leaves numbers out; a test must never be held back as a repetition of an older one.
        error_kind=now.isoformat(),
        first_error="Nothing went wrong: somebody typed `blotout alerts test`.",
    )
    ways = [transport for transport, _ in outbox.destinations(settings, trouble)]
    if ways == ["log"]:
        raise BlotoutError("nobody would be told: set MAIL_TRANSPORT and ALERT_RECIPIENTS, or ALERT_WEBHOOK")
    outbox.enqueue(settings, [trouble], now)
    _report(deliver(settings, now))


@alerts_app.command("deliver")
def deliver_waiting() -> None:
    """Try every undelivered alert whose time has come; the sensor does the same every minute."""
    from blotout_orchestration.platform.alerts.delivery import deliver

    _report(deliver(current_settings(), datetime.now(UTC)))


def _report(done: object) -> None:
    from blotout_orchestration.platform.alerts.delivery import Delivery

    assert isinstance(done, Delivery)
    echo(f"{done.sent} sent, {done.left} waiting")
    if done.failed:
        raise UndeliveredError(f"{done.failed} not taken: {done.reason}; they stay in the outbox")


def _cells(row: dict[str, object]) -> list[str]:
    if not row["delivered_at"]:
        state = f"waiting, {row['attempts']} tries: {row['last_error'] or '-'}"
    else:
        state = "nobody to tell: only logged" if row["transport"] == "log" else "delivered"
    return [str(row["created_at"]), str(row["transport"]), str(row["suppressed"]), state, str(row["subject"])]
