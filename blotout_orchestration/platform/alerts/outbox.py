"""The outbox: every alert is a row before anybody tries to send it, and stays one until it was taken.

Belongs here: grouping the same troubles, and which alerts are due. Does not belong here: sending.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from blotout_orchestration.platform.alerts import wording
from blotout_orchestration.platform.alerts.troubles import Trouble
from blotout_orchestration.platform.database import platform_database, writing

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row

    from blotout_orchestration.settings import Settings

PAUSES: Final = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 180, 360))
"""Before the next try of an undelivered alert; the last one repeats for as long as it takes."""
SOURCES_KEPT: Final = 2_000
"""Occurrences that a row remembers; more of one trouble within the pause are counted, not remembered."""


def enqueue(settings: Settings, troubles: Sequence[Trouble], now: datetime) -> int:
    """Put troubles in the outbox; returns how many new rows that made.

    A trouble that was told, or is waiting to be told, within ALERT_REPEAT_HOURS is counted on that row;
    an occurrence that was seen before changes nothing. Raises DatabaseUnavailableError.
    """
    made = 0
    with writing(settings) as connection:
        for trouble in troubles:
            for transport, recipients in destinations(settings, trouble):
                made += _enqueue(connection, settings, trouble, transport, recipients, now)
    return made


def destinations(settings: Settings, trouble: Trouble) -> list[tuple[str, list[str]]]:
    """Transports and their recipients; an alert that nobody can get goes to `log`, so that it is kept."""
    found: list[tuple[str, list[str]]] = []
    people = _people(settings, trouble.owners)
    if settings.mail_transport != "none" and people:
        found.append(("mail", people))
    if settings.alert_webhook is not None:
        found.append(("webhook", []))
    return found or [("log", [])]


def _people(settings: Settings, owners: Sequence[str]) -> list[str]:
    """Owners' addresses; those of ALERT_RECIPIENTS when an owner has none, or there is no owner."""
    teams = dict(pair.split("=", 1) for pair in settings.alert_team_addresses.split(",") if pair)
    default = [address for address in settings.alert_recipients.split(",") if address]
    people: list[str] = []
    for owner in owners or ("",):
        team = owner.removeprefix("team:")
        known = [owner] if "@" in owner else [teams[team]] if team in teams else default
        people += [address for address in known if address not in people]
    return people


def _enqueue(
    connection: Connection,
    settings: Settings,
    trouble: Trouble,
    transport: str,
    recipients: list[str],
    now: datetime,
) -> int:
    from sqlalchemy import select

    from blotout_orchestration.platform.database.tables import alert_outbox

    table = alert_outbox
    newest = connection.execute(
        select(table)
        .where(table.c.fingerprint == trouble.fingerprint, table.c.transport == transport)
        .order_by(table.c.id.desc())
        .limit(1)
    ).first()
    repeat = timedelta(hours=settings.alert_repeat_hours)
    if newest is not None:
        if trouble.source in newest.payload["sources"]:
            return 0
        if newest.delivered_at is None or now - newest.created_at < repeat:
            sources = [*newest.payload["sources"], trouble.source][-SOURCES_KEPT:]
            connection.execute(
                table.update()
                .where(table.c.id == newest.id)
                .values(suppressed=newest.suppressed + 1, payload={**newest.payload, "sources": sources})
            )
            return 0
    connection.execute(
        table.insert().values(
            created_at=now,
            fingerprint=trouble.fingerprint,
            kind=trouble.kind,
            transport=transport,
            recipients=recipients,
            subject=wording.subject(trouble),
            payload={
                **wording.payload(trouble, settings.dagster_address.rstrip("/")),
                "suppressed_before": newest.suppressed if newest is not None else 0,
            },
            suppressed=0,
            attempts=0,
            next_attempt_at=now,
        )
    )
    return 1


def due(settings: Settings, now: datetime, limit: int = 50) -> Sequence[Row[Any]]:
    """Undelivered alerts whose time has come, oldest first."""
    from sqlalchemy import select

    from blotout_orchestration.platform.database.tables import alert_outbox

    table = alert_outbox
    with platform_database(settings).connect() as connection:
        return connection.execute(
            select(table)
            .where(table.c.delivered_at.is_(None), table.c.next_attempt_at <= now)
            .order_by(table.c.id)
            .limit(limit)
        ).all()


def delivered(settings: Settings, key: int, now: datetime) -> None:
    """Note that an alert was taken."""
    _note(settings, key, {"delivered_at": now, "last_error": None})


def refused(
    settings: Settings,
    key: int,
    attempts: int,
    reason: str,
    now: datetime,
    left: Sequence[str] | None = None,
) -> None:
    """Note why an alert was not taken, and when it is tried again; `attempts` counts those before this one.

    `left` are the recipients that have not got it, when others have: only they are tried again.
    """
    pause = PAUSES[min(attempts, len(PAUSES) - 1)]
    values: dict[str, Any] = {
        "attempts": attempts + 1,
        "last_error": reason[:500],
        "next_attempt_at": now + pause,
    }
    if left is not None:
        values["recipients"] = list(left)
    _note(settings, key, values)


def waiting(settings: Settings) -> tuple[int, str]:
    """How many alerts are undelivered, and the newest reason why."""
    from sqlalchemy import func, select

    from blotout_orchestration.platform.database.tables import alert_outbox

    table = alert_outbox
    with platform_database(settings).connect() as connection:
        count = connection.execute(select(func.count()).where(table.c.delivered_at.is_(None))).scalar_one()
        reason = connection.execute(
            select(table.c.last_error)
            .where(table.c.delivered_at.is_(None), table.c.last_error.is_not(None))
            .order_by(table.c.id.desc())
            .limit(1)
        ).scalar()
    return count, reason or ""


def newest(settings: Settings, limit: int) -> Sequence[Row[Any]]:
    """The newest alerts, delivered or not, newest first."""
    from sqlalchemy import select

    from blotout_orchestration.platform.database.tables import alert_outbox

    with platform_database(settings).connect() as connection:
        return connection.execute(select(alert_outbox).order_by(alert_outbox.c.id.desc()).limit(limit)).all()


def _note(settings: Settings, key: int, values: Mapping[str, Any]) -> None:
    from blotout_orchestration.platform.database.tables import alert_outbox

    with writing(settings) as connection:
        connection.execute(alert_outbox.update().where(alert_outbox.c.id == key).values(**values))
