"""A small warehouse in memory for definitions: the tables that conditions read, with the types of the real ones."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb

from blotout_orchestration.entities.columns import Columns
from blotout_orchestration.entities.conditions import Strict
from blotout_orchestration.entities.definitions import FunnelDefinition, SegmentDefinition, parse_definition
from blotout_orchestration.entities.funnel_sql import compile_funnel
from blotout_orchestration.entities.segment_sql import compile_segment
from blotout_orchestration.settings import Settings

SCHEMA = "shop_test"
START = datetime(2026, 3, 1, tzinfo=UTC)
AS_OF = START + timedelta(days=30)
USERS = {
    "global_user_id": "varchar",
    "is_bot": "boolean",
    "last_country": "varchar",
    "emails": "varchar[]",
    "orders": "bigint",
    "revenue": "decimal(18, 4)",
    "accepts_marketing": "boolean",
    "birth_date": "date",
    "last_order_at": "timestamp with time zone",
}
EVENTS = {
    "event_key": "varchar",
    "global_user_id": "varchar",
    "session_key": "varchar",
    "is_bot": "boolean",
    "event_name": "varchar",
    "occurred_at": "timestamp with time zone",
    "arrival_hour": "timestamp with time zone",
    "item_sku": "varchar",
    "item_price": "decimal(18, 4)",
}


def columns() -> Columns:
    """The columns of both tables."""
    return Columns.read(
        SCHEMA,
        [("view_users", name, kind) for name, kind in USERS.items()]
        + [("unified_events", name, kind) for name, kind in EVENTS.items()],
    )


def warehouse(users: Sequence[dict[str, Any]] = (), events: Sequence[dict[str, Any]] = ()) -> Any:
    """A connection whose tables hold these rows; columns left out are null, keys are made up."""
    return _filled(duckdb.connect(), users, events)


def publish(
    settings: Settings,
    users: Sequence[dict[str, Any]] = (),
    events: Sequence[dict[str, Any]] = (),
    *,
    days: int = 30,
) -> None:
    """Put a published warehouse in its place, whose newest processed hour ends `days` after START."""
    path = settings.published_path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    last = {
        "event_name": "heartbeat",
        "occurred_at": START,
        "arrival_hour": START + timedelta(days=days, hours=-1),
    }
    _filled(duckdb.connect(str(path)), users, [*events, last]).close()


def _filled(connection: Any, users: Sequence[dict[str, Any]], events: Sequence[dict[str, Any]]) -> Any:
    connection.execute(f"set TimeZone = 'UTC'; create schema {SCHEMA}")
    for table, kinds, rows in (("view_users", USERS, users), ("unified_events", EVENTS, events)):
        declared = ", ".join(f'"{name}" {kind}' for name, kind in kinds.items())
        connection.execute(f"create table {SCHEMA}.{table} ({declared})")
        filled = [
            [row.get(name, f"k{place:06d}" if name == "event_key" else None) for name in kinds]
            for place, row in enumerate(rows)
        ]
        if filled:
            connection.executemany(
                f"insert into {SCHEMA}.{table} values ({', '.join('?' * len(kinds))})", filled
            )
    return connection


def event(person: str, name: str, seconds: float, **more: Any) -> dict[str, Any]:
    """An event some seconds after START."""
    at = START + timedelta(seconds=seconds)
    return {"global_user_id": person, "event_name": name, "occurred_at": at, **more}


def segment(where: dict[str, Any], name: str = "tried") -> SegmentDefinition:
    """A segment with this condition."""
    made: Strict = parse_definition(
        {"kind": "segment", "name": name, "description": "A test.", "where": where}, "test"
    )
    assert isinstance(made, SegmentDefinition)
    return made


def funnel(steps: Sequence[Any], **options: Any) -> FunnelDefinition:
    """A funnel over events of these names, or of these steps."""
    written = [
        {"step": f"{place} {step}", "event": step} if isinstance(step, str) else step
        for place, step in enumerate(steps)
    ]
    raw = {"kind": "funnel", "name": "tried", "description": "A test.", "steps": written, "window": "1 day"}
    made = parse_definition({**raw, **options}, "test")
    assert isinstance(made, FunnelDefinition)
    return made


def members(connection: Any, where: dict[str, Any], as_of: datetime = AS_OF) -> set[str]:
    """Who is in a segment of this condition."""
    query = compile_segment(segment(where), columns(), as_of).sql("duckdb")
    rows = connection.execute(query).fetchall()
    assert len(rows) == len(set(rows))
    return {person for (person,) in rows}


def steps_reached(connection: Any, definition: FunnelDefinition, as_of: datetime = AS_OF) -> dict[Any, int]:
    """Steps that each person (and session) reached; who did not start is left out."""
    query = compile_funnel(definition, columns(), as_of).sql("duckdb")
    rows = connection.execute(query).fetchall()
    per_unit: dict[Any, list[int]] = {}
    for person, session, step, started, reached in rows:
        assert started <= reached <= started + definition.window
        per_unit.setdefault((person, session) if definition.per == "session" else person, []).append(step)
    for found in per_unit.values():
        assert sorted(found) == list(range(1, len(found) + 1))
    return {unit: max(found) for unit, found in per_unit.items()}
