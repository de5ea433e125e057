"""The warehouse that segments and funnels are computed on: its columns, the moment that its data shows, answers.

Belongs here: opening it on each ground, and bringing an answer into a local DuckDB. On the embedded ground that
is the published copy itself; on Trino and Athena the query runs there, and its rows come in pages. What is asked
is in membership.py and funnels.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from sqlglot import exp

from blotout_orchestration.entities.columns import EVENTS, USERS, Columns
from blotout_orchestration.entities.dialects import moment_text, written
from blotout_orchestration.entities.fields import Operator
from blotout_orchestration.entities.predicates import column, compared, moment
from blotout_orchestration.errors import BlotoutError, UsageError
from blotout_orchestration.lake.reads import quote

if TYPE_CHECKING:
    from blotout_orchestration.platform.warehouse_reader import WarehouseReader
    from blotout_orchestration.settings import Settings

MOMENT = pa.timestamp("us", tz="UTC")
_PAGE = 10_000
_STATE = pa.schema([("hour", MOMENT), ("event", MOMENT)])


class WarehouseUnavailableError(BlotoutError):
    """There is no warehouse to ask."""


@dataclass(frozen=True)
class Warehouse:
    """An open warehouse: `connection` is a DuckDB for what is done with answers; `server` answers, if not itself."""

    connection: Any
    name: str
    server: WarehouseReader | None

    def load(self, table: str, query: exp.Select, schema: pa.Schema) -> None:
        """Make a temporary table of the connection from the rows of a query that selects `schema`'s columns.

        The columns are texts, whole numbers and moments. A table of the name is replaced, and only when the whole
        answer is there. Raises duckdb.Error or ReaderError.
        """
        if self.server is None:
            text = written(query, self.name)
            self.connection.execute(f"create or replace temp table {table} as {text}")
            return
        moments = [name for name in schema.names if schema.field(name).type == MOMENT]
        shown = [
            exp.alias_(moment_text(name), name) if name in moments else exp.column(name)
            for name in schema.names
        ]
        asked = exp.select(*shown).from_(query.subquery("answered"))
        rows = self.server.rows(written(asked, self.name))
        self._insert("arriving", schema.empty_table(), "create or replace temp table {} as from {}")
        while page := list(islice(rows, _PAGE)):
            columns = [list(values) for values in zip(*page, strict=True)]
            for name in moments:
                place = schema.names.index(name)
                columns[place] = [text and _moment(text) for text in columns[place]]
            self._insert("arriving", pa.table(columns, schema=schema), "insert into {} from {}")
        self.connection.execute(f"create or replace temp table {table} as from arriving")
        self.connection.execute("drop table arriving")

    def _insert(self, table: str, rows: pa.Table, statement: str) -> None:
        self.connection.register("page", rows)
        self.connection.execute(statement.format(table, "page"))
        self.connection.unregister("page")

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """The few rows of a query whose text is the same everywhere."""
        if self.server is not None:
            return list(self.server.rows(sql))
        found: list[tuple[Any, ...]] = self.connection.execute(sql).fetchall()
        return found


@dataclass(frozen=True)
class Published(Warehouse):
    """A warehouse with its columns; `as_of` is the state of its data, by which recency is judged."""

    columns: Columns
    as_of: datetime


@contextmanager
def open_published(settings: Settings, as_of: datetime | None = None) -> Iterator[Published]:
    """The warehouse, read only and in UTC: the published copy, or each table's newest commit on a server.

    Without `as_of` the state is the end of the newest processed hour of arrival, so that the same data gives
    the same answer whenever it is asked; without any online event, the newest event that is not in the future.
    Raises WarehouseUnavailableError when nothing was built yet, ReaderError when a server cannot be asked.
    """
    if as_of is not None and as_of.tzinfo is None:
        raise UsageError(f"as_of {as_of} has no time zone")
    with _open_embedded(settings) if settings.warehouse == "duckdb" else _open_server(settings) as opened:
        columns = _columns(opened, settings.namespace)
        state = as_of or _state(opened, columns)
        yield Published(opened.connection, opened.name, opened.server, columns, state)


@contextmanager
def _open_embedded(settings: Settings) -> Iterator[Warehouse]:
    """The published copy; nothing else can be opened through the connection."""
    import duckdb

    path = settings.published_path
    if not path.is_file():
        raise WarehouseUnavailableError(f"{path} does not exist; run events_unified_view first")
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        # Under this name dbt has built it, and views in it carry the name.
        connection.execute(f"attach {quote(str(path))} as warehouse (read_only)")
        connection.execute("use warehouse")
        connection.execute("set enable_external_access = false")
        connection.execute("set lock_configuration = true")
        yield Warehouse(connection, "duckdb", None)


@contextmanager
def _open_server(settings: Settings) -> Iterator[Warehouse]:
    """Trino or Athena, with an empty DuckDB beside it for their answers."""
    import duckdb

    from blotout_orchestration.platform.warehouse_reader import open_server

    with open_server(settings) as server, duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        yield Warehouse(connection, settings.warehouse, server)


def _columns(opened: Warehouse, schema: str) -> Columns:
    own = " and table_catalog = 'warehouse'" if opened.server is None else ""
    rows = opened.rows(
        "select table_name, column_name, data_type from information_schema.columns"
        f" where table_schema = {quote(schema)} and table_name in ({quote(USERS)}, {quote(EVENTS)}){own}"
    )
    if not rows:
        raise WarehouseUnavailableError(
            f"{schema} has no {USERS} and {EVENTS}; run events_unified_view first"
        )
    return Columns.read(schema, rows)


def _state(opened: Warehouse, columns: Columns) -> datetime:
    past = compared(column("occurred_at", "e"), Operator.LESS_THAN_OR_EQUAL_TO, moment(datetime.now(UTC)))
    event = exp.Filter(this=exp.Max(this=column("occurred_at", "e")), expression=exp.Where(this=past))
    hour: exp.Expr = exp.Max(this=column("arrival_hour", "e"))
    if "arrival_hour" not in columns.events:
        hour = exp.cast(exp.null(), exp.DataType.build("TIMESTAMPTZ(6)"))
    table = exp.alias_(exp.table_(EVENTS, db=columns.schema, quoted=True), "e", table=True)
    opened.load(
        "state", exp.select(exp.alias_(hour, "hour"), exp.alias_(event, "event")).from_(table), _STATE
    )
    newest_hour, newest_event = opened.connection.execute("select * from state").fetchall()[0]
    if newest_hour is not None:
        return (newest_hour + timedelta(hours=1)).astimezone(UTC)  # type: ignore[no-any-return]
    return datetime.fromtimestamp(0, UTC) if newest_event is None else newest_event.astimezone(UTC)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
