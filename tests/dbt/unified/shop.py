"""A small shop for the dbt tests: rows put straight into the lake's contracts, and builds on them.

Belongs here: writing lake rows, running dbt in process, reading the built tables. No assertions.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
from pyiceberg.expressions import AlwaysTrue, EqualTo

from blotout_orchestration.analytics.dbt_project import dbt_arguments, dbt_environment
from blotout_orchestration.analytics.warehouse import prepare_sources
from blotout_orchestration.elt.contract import CRM_PROFILES, OFFLINE_EVENTS
from blotout_orchestration.events.contract import CORE_EVENTS, EVENT_HOURS
from blotout_orchestration.id_graph.contract import ID_GRAPH
from blotout_orchestration.lake import Lake, TableSpec

START = datetime(2026, 3, 2, tzinfo=UTC)
LEDGERS = (
    "changed_hours",
    "changed_users",
    "completed_builds",
    "previous_users",
    "touched_events",
    "touched_ids",
    "touched_offline_events",
    "touched_profiles",
    "touched_transactions",
    "touched_users",
    "touched_visitors",
)
"""Tables that tell how a build went; all others must be the same however the builds went."""

Row = dict[str, Any]


def at(minutes: float) -> datetime:
    """A moment, in minutes from the start of the shop."""
    return START + timedelta(minutes=minutes)


def event(event_id: str, minute: float, *, delay: float = 0, **columns: Any) -> Row:
    """An online event that happened at a minute and arrived `delay` minutes later."""
    received = columns.pop("received_at", at(minute + delay))
    row: Row = dict.fromkeys(column.name for column in CORE_EVENTS.columns)
    row.update(
        event_id=event_id,
        event_name="sdk_start",
        event_type="system",
        event_datetime=at(minute),
        is_clock_skewed=False,
        received_at=received,
        arrival_hour=received.replace(minute=0, second=0, microsecond=0),
        landing_file="events.jsonl.gz",
        landing_line=int(hashlib.md5(event_id.encode()).hexdigest()[:6], 16),
        landing_index=0,
        processor_version="1",
        content_hash=hashlib.md5(repr((event_id, minute, columns)).encode()).hexdigest(),
        headers_origin="https://www.shop.example",
        user_agent="Firefox",
        page_url="https://www.shop.example/",
        is_bot=False,
    )
    row.update(columns)
    return row


def transaction(event_id: str, minute: float, order: str | None, total: str, **columns: Any) -> Row:
    """A transaction event."""
    return event(
        event_id,
        minute,
        event_name="transaction",
        event_type="codified",
        transaction_id=order,
        transaction_total=Decimal(total),
        **{"transaction_currency": "EUR", **columns},
    )


def offline_order(event_id: str, minute: float, order: str, revenue: str, **columns: Any) -> Row:
    """An order, or a refund, of the shop system."""
    row: Row = dict.fromkeys(column.name for column in OFFLINE_EVENTS.columns)
    row.update(
        event_id=event_id,
        source_name="shopify",
        event_name="order_completed",
        event_datetime=at(minute),
        transaction_id=order,
        revenue=Decimal(revenue),
        currency="EUR",
        etl_run_date=START.date(),
        etl_run_datetime=START,
    )
    row.update(columns)
    return row


def profile(profile_id: str, **columns: Any) -> Row:
    """A customer of the shop system."""
    row: Row = dict.fromkeys(column.name for column in CRM_PROFILES.columns)
    row.update(source_name="shopify", profile_id=profile_id, profile_id_provider="shopify")
    row.update(created_at=START, updated_at=START, etl_run_date=START.date(), etl_run_datetime=START)
    row.update(columns)
    return row


def known_id(id_type: str, value: str, person: str, provider: str | None = None) -> Row:
    """A row of the id graph."""
    row: Row = dict.fromkeys(column.name for column in ID_GRAPH.columns)
    row.update(id=value, id_type=id_type, provider=provider, global_user_id=person)
    row.update(first_seen=START, last_seen=START, sources=["test"], is_canonical=False)
    return row


def _table(spec: TableSpec, rows: Iterable[Row]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=spec.arrow_schema)


def land_hour(lake: Lake, hour: datetime, rows: Sequence[Row]) -> None:
    """Replace an hour of core_events and its row in the ledger of hours, as events_incremental does."""
    of_hour = EqualTo("arrival_hour", hour.isoformat())
    lake.replace(CORE_EVENTS, _table(CORE_EVENTS, rows), of_hour, {})
    revision = hashlib.md5(repr(sorted(rows, key=repr)).encode()).hexdigest()
    entry: Row = dict.fromkeys(column.name for column in EVENT_HOURS.columns)
    entry.update(arrival_hour=hour, revision=revision, events_in=len(rows), events_good=len(rows))
    lake.replace(EVENT_HOURS, _table(EVENT_HOURS, [entry]), of_hour, {})


def land(lake: Lake, rows: Iterable[Row]) -> None:
    """Land events in the hours of their arrival."""
    hours: dict[datetime, list[Row]] = {}
    for row in rows:
        hours.setdefault(row["arrival_hour"], []).append(row)
    for hour, of_hour in sorted(hours.items()):
        land_hour(lake, hour, of_hour)


def set_rows(lake: Lake, spec: TableSpec, rows: Iterable[Row]) -> None:
    """Make a whole table of the lake hold exactly these rows."""
    lake.replace(spec, _table(spec, rows), AlwaysTrue(), {})


@contextmanager
def environment(values: Mapping[str, str]) -> Any:
    """The process's environment with some variables laid over it."""
    before = dict(os.environ)
    os.environ.update({name: value for name, value in values.items() if name != "PATH"})
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def dbt(
    lake: Lake, command: str = "run", *, select: Sequence[str] = (), full_refresh: bool = False
) -> dict[str, str]:
    """Run dbt in this process; status by node. Raises AssertionError with dbt's message when a node fails."""
    from dbt.cli.main import dbtRunner

    settings = lake.settings
    arguments = dbt_arguments(
        command, settings, select=select or ["tag:events_unified_view"], full_refresh=full_refresh
    )
    with environment(dbt_environment(settings)):
        finished = dbtRunner().invoke(["--quiet", *arguments])
    _let_go_of_the_file()
    results = list(getattr(finished.result, "results", []) or [])
    bad = [f"{item.node.name}: {item.message}" for item in results if item.status in ("error", "fail")]
    assert finished.success, f"{finished.exception or ''} {bad}"
    return {item.node.name: str(item.status) for item in results}


def _let_go_of_the_file() -> None:
    """The adapter keeps its DuckDB instance for the process's life, and with it the lock on the file."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager

    if DuckDBConnectionManager._ENV is not None:
        DuckDBConnectionManager._ENV.close()
        DuckDBConnectionManager.close_all_connections()


def build(lake: Lake, command: str = "run", *, full_refresh: bool = False) -> dict[str, str]:
    """What the job does: prepare the sources, run dbt on them."""
    prepared = prepare_sources(lake, full_refresh=full_refresh)
    return dbt(lake, command, full_refresh=prepared.full_refresh)


def query(lake: Lake, sql: str) -> list[tuple[Any, ...]]:
    """Rows of the warehouse."""
    with duckdb.connect(str(lake.settings.warehouse_path)) as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(f'set schema = "{lake.namespace}"')
        return connection.execute(sql).fetchall()


def built_tables(lake: Lake) -> dict[str, list[str]]:
    """Every built table but the ledgers, as sorted rows of text."""
    named = query(
        lake,
        "select table_name from information_schema.tables where table_type = 'BASE TABLE'"
        f" and table_schema = '{lake.namespace}' order by 1",
    )
    return {
        name: sorted(row[0] for row in query(lake, f'select cast(row_ as varchar) from "{name}" as row_'))
        for (name,) in named
        if name not in LEDGERS
    }
