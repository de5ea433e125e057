"""Reading the published warehouse: one locked connection, its columns, and the moment that its data shows.

Belongs here: opening it. What is asked of it is in membership.py and funnels.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from blotout_orchestration.entities.columns import EVENTS, USERS, Columns
from blotout_orchestration.errors import BlotoutError, UsageError

if TYPE_CHECKING:
    from blotout_orchestration.settings import Settings


class WarehouseUnavailableError(BlotoutError):
    """There is no published warehouse to ask."""


@dataclass(frozen=True)
class Published:
    """An open published warehouse: `as_of` is the state of its data, by which recency is judged."""

    connection: Any
    columns: Columns
    as_of: datetime


@contextmanager
def open_published(settings: Settings, as_of: datetime | None = None) -> Iterator[Published]:
    """The published warehouse, read only and in UTC; nothing else can be opened through the connection.

    Without `as_of` the state is the end of the newest processed hour of arrival, so that the same data gives
    the same answer whenever it is asked; without any online event, the newest event that is not in the future.
    Raises WarehouseUnavailableError when nothing was published yet or the warehouse is not the embedded one.
    """
    import duckdb

    if settings.warehouse != "duckdb":
        raise WarehouseUnavailableError(
            f"segments and funnels are computed on the embedded warehouse; WAREHOUSE is {settings.warehouse}."
            " `blotout segments show NAME --sql trino` gives the query to run there"
        )
    path = settings.published_path
    if not path.is_file():
        raise WarehouseUnavailableError(f"{path} does not exist; run events_unified_view first")
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        # Under this name dbt has built it, and views in it carry the name.
        quoted = str(path).replace("'", "''")
        connection.execute(f"attach '{quoted}' as warehouse (read_only)")
        connection.execute("use warehouse")
        connection.execute("set enable_external_access = false")
        connection.execute("set lock_configuration = true")
        columns = _columns(connection, settings.namespace)
        if as_of is not None and as_of.tzinfo is None:
            raise UsageError(f"as_of {as_of} has no time zone")
        yield Published(connection, columns, as_of or _state(connection, columns))


def _columns(connection: Any, schema: str) -> Columns:
    rows = connection.execute(
        "select table_name, column_name, data_type from information_schema.columns"
        " where table_catalog = 'warehouse' and table_schema = ? and table_name in (?, ?)",
        [schema, USERS, EVENTS],
    ).fetchall()
    if not rows:
        raise WarehouseUnavailableError(
            f"{schema} has no {USERS} and {EVENTS}; run events_unified_view first"
        )
    return Columns.read(schema, rows)


def _state(connection: Any, columns: Columns) -> datetime:
    arrival = "max(arrival_hour) + interval 1 hour, " if "arrival_hour" in columns.events else ""
    row = connection.execute(
        f"select coalesce({arrival}max(occurred_at) filter (occurred_at <= now()), timestamptz '1970-01-01 00:00:00+00')"
        f' from "{columns.schema}".{EVENTS}'
    ).fetchall()[0]
    found: datetime = row[0]
    return found.astimezone(UTC)
