"""The job `delete_idle_db_connections`: which Postgres connections are idle for too long, and closing them.

Belongs here: reading pg_stat_activity, judging a connection, ending it. Figures of PostgreSQL's documentation:
"Monitoring Database Activity", views pg_stat_activity and pg_stat_replication.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from blotout_orchestration.errors import BlotoutError
from blotout_orchestration.maintenance.execution import OvertakenError, VerificationError
from blotout_orchestration.maintenance.inventory import matches, patterns
from blotout_orchestration.maintenance.plan import Plan, PlanItem
from blotout_orchestration.platform.database import APPLICATION_NAME
from blotout_orchestration.setting_fields import without_credentials
from blotout_orchestration.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

JOB = "delete_idle_db_connections"
TERMINATE: Final = "close_connection"
OURS: Final = (f"{APPLICATION_NAME}*", "dagster*")
"""Applications that are never touched: Dagster answers errors when its pooled connections are cut."""

_QUERY = """
select a.pid, a.backend_start, a.state_change, a.state, a.backend_type,
  coalesce(a.application_name, '') as application, coalesce(a.usename::text, '') as user_name,
  coalesce(a.datname::text, '') as database, coalesce(r.rolsuper, false) as is_superuser,
  coalesce(r.rolreplication, false) as may_replicate,
  exists (select 1 from pg_stat_replication s where s.pid = a.pid) as is_replicating,
  a.pid = pg_backend_pid() as is_self, clock_timestamp() as now
from pg_stat_activity a left join pg_roles r on r.oid = a.usesysid
where a.datname is not null or a.backend_type <> 'client backend'
order by a.pid
"""


class ServerUnavailableError(BlotoutError):
    """The Postgres server cannot be asked; the message names it without its credentials."""


@dataclass(frozen=True)
class IdleRules:
    """Who may be cut off, after how long; patterns are lower case."""

    idle: timedelta
    idle_in_transaction: timedelta
    applications: tuple[str, ...]
    users: tuple[str, ...]
    databases: tuple[str, ...]


@dataclass(frozen=True)
class Session:
    """One backend of the server, as pg_stat_activity shows it."""

    pid: int
    backend_start: datetime
    state_change: datetime | None
    state: str | None
    backend_type: str | None
    application: str
    user_name: str
    database: str
    is_superuser: bool
    may_replicate: bool
    is_replicating: bool
    is_self: bool
    now: datetime

    @property
    def idle_for(self) -> timedelta:
        """How long the state has not changed, by the server's clock."""
        return self.now - (self.state_change or self.now)


def rules_of(settings: Settings) -> IdleRules:
    """The rules from the settings; the limit within a transaction is never below the other one."""
    idle = timedelta(minutes=settings.idle_connection_minutes)
    return IdleRules(
        idle,
        max(idle, timedelta(minutes=settings.idle_transaction_minutes)),
        patterns(settings.idle_connection_applications),
        patterns(settings.idle_connection_users),
        patterns(settings.idle_connection_databases),
    )


def server_of(settings: Settings) -> str | None:
    """Address of the Postgres server whose connections are looked at; None on embedded ground."""
    named = settings.idle_connections_server
    uri = named.get_secret_value() if named is not None else settings.platform_database_uri
    return uri if uri.startswith("postgresql") else None


def verdict(session: Session, rules: IdleRules) -> tuple[bool, str]:
    """Whether the connection is to be closed, and why or why not. The first reason to keep it wins."""
    if session.is_self:
        return False, "this job itself"
    if session.backend_type is None:
        return False, "hidden from this account"
    if session.backend_type != "client backend":
        return False, f"not a client: {session.backend_type}"
    if matches(session.application, OURS):
        return False, "Dagster's own, or ours"
    if session.is_replicating:
        return False, "replication"
    named = session.user_name.lower() in rules.users
    if (session.is_superuser or session.may_replicate) and not named:
        return False, "a superuser or a replication role that is not named"
    for value, wanted, what in (
        (session.application, rules.applications, "application"),
        (session.user_name, rules.users, "user"),
        (session.database, rules.databases, "database"),
    ):
        if not matches(value, wanted):
            return False, f"{what} is not meant"
    if session.state == "idle":
        limit = rules.idle
    elif session.state in ("idle in transaction", "idle in transaction (aborted)"):
        limit = rules.idle_in_transaction
    else:
        return False, f"at work ({session.state})"
    minutes, allowed = session.idle_for.total_seconds() / 60, limit.total_seconds() / 60
    if session.idle_for < limit:
        return False, f"{session.state} for less than {allowed:.0f} minutes"
    return True, f"{session.state} for {minutes:.0f} minutes, {allowed:.0f} are allowed"


@contextmanager
def connected(uri: str) -> Iterator[Connection]:
    """A connection to the server for this job. Raises ServerUnavailableError."""
    from sqlalchemy import create_engine
    from sqlalchemy.exc import OperationalError
    from sqlalchemy.pool import NullPool

    engine = create_engine(
        uri,
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",
        connect_args={"application_name": f"{APPLICATION_NAME}-{JOB}", "connect_timeout": 10},
    )
    try:
        connection = engine.connect()
    except OperationalError:
        raise ServerUnavailableError(
            f"{without_credentials(uri)} does not answer; check IDLE_CONNECTIONS_SERVER or PLATFORM_DATABASE"
        ) from None
    try:
        yield connection
    finally:
        connection.close()
        engine.dispose()


def sessions(connection: Connection) -> list[Session]:
    """All backends of the server by process id."""
    from sqlalchemy import text

    return [Session(**row) for row in connection.execute(text(_QUERY)).mappings()]


def reasons(found: Sequence[Session], rules: IdleRules) -> dict[str, float]:
    """How many connections are to be closed, and how many stay for which reason."""
    counted: dict[str, float] = {}
    for session in found:
        close, why = verdict(session, rules)
        label = "to be closed" if close else f"stays: {why}"
        counted[label] = counted.get(label, 0) + 1
    return counted


def plan_closing(found: Sequence[Session], rules: IdleRules) -> Plan:
    """The connections to close, the longest idle first."""
    chosen = [(session, verdict(session, rules)) for session in found]
    closing = [(session, why) for session, (close, why) in chosen if close]
    items = [
        PlanItem(
            TERMINATE,
            f"{session.application or '(no name)'} {session.user_name}@{session.database} pid {session.pid}",
            why,
            details={
                "pid": session.pid,
                "backend_start": session.backend_start.isoformat(),
                "state_change": session.state_change.isoformat() if session.state_change else None,
            },
        )
        for session, why in sorted(closing, key=lambda entry: entry[0].idle_for, reverse=True)
    ]
    return Plan(JOB, datetime.now(UTC), tuple(items), tuple(_unseen(found)))


def _unseen(found: Sequence[Session]) -> list[PlanItem]:
    """A refusal when the account does not see what the connections of others do."""
    hidden = [session for session in found if session.backend_type is None]
    if not hidden:
        return []
    why = f"{len(hidden)} connections are hidden from this account: grant it pg_monitor and pg_signal_backend"
    return [PlanItem("look", "pg_stat_activity", why, count=len(hidden))]


class CloseIdle:
    """Closing one connection, unless it went to work or away since the plan was made."""

    def __init__(self, connection: Connection, rules: IdleRules) -> None:
        self._connection = connection
        self._rules = rules

    def _now(self, item: PlanItem) -> Session | None:
        """The planned session as it is now: the same process id may be another connection by now."""
        for session in sessions(self._connection):
            if session.pid == item.details["pid"]:
                same = session.backend_start.isoformat() == item.details["backend_start"]
                return session if same else None
        return None

    def recheck(self, item: PlanItem) -> str | None:
        """Why it stays: gone, at work again, or used since."""
        session = self._now(item)
        if session is None:
            return "it is gone"
        changed = session.state_change.isoformat() if session.state_change else None
        if changed != item.details["state_change"]:
            return "it was used again"
        close, why = verdict(session, self._rules)
        return None if close else why

    def act(self, item: PlanItem) -> Mapping[str, Any]:
        """End its backend, in one statement with the last look at its state."""
        from sqlalchemy import text

        ended = self._connection.execute(
            text(
                "select pg_terminate_backend(pid, 5000) from pg_stat_activity where pid = :pid"
                " and backend_start = cast(:started as timestamptz)"
                " and state_change = cast(:changed as timestamptz) and state like 'idle%'"
            ),
            {
                "pid": item.details["pid"],
                "started": item.details["backend_start"],
                "changed": item.details["state_change"],
            },
        ).scalar()
        if ended is None:
            raise OvertakenError("it went to work or away in the last moment")
        return {"closed": int(bool(ended))}

    def verify(self, item: PlanItem, done: Mapping[str, Any]) -> None:
        """Raises VerificationError when the backend is still there."""
        if self._now(item) is not None:
            raise VerificationError("the connection is still open; does the account have pg_signal_backend?")
