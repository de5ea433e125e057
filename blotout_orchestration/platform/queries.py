"""Read-only SQL over the lake and the published warehouse, under one set of names.

Belongs here: finding tables by name and opening a locked connection that shows only them. Does not belong
here: judging the text (query_text.py), printing (query_output.py), asking Trino or Athena (server_queries.py).
"""

from __future__ import annotations

import signal
import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Literal

from blotout_orchestration.platform.query_text import QueryError, QueryText, TableName, understand
from blotout_orchestration.settings import Settings

BATCH = 10_000


@dataclass(frozen=True)
class QueryResult:
    """Names of the columns, and the rows as they are fetched."""

    columns: tuple[str, ...]
    rows: Iterable[Sequence[Any]]


@dataclass(frozen=True)
class ListedTable:
    """A table that can be queried; `rows` is None where counting would mean reading."""

    schema: str
    table: str
    source: Literal["lake", "warehouse"]
    rows: int | None


@contextmanager
def run_query(settings: Settings, query: str) -> Iterator[QueryResult]:
    """Run one reading statement; the rows can be fetched while the context is open.

    Names: `table` means `{organisation}_{environment}.table`; a table that both the lake and the warehouse
    have is the lake's. On Trino and Athena the query runs there, in their SQL. Raises QueryError for a query that
    does not only read, names what is not there, or fails; ReaderError when a server does not answer it.
    """
    if settings.warehouse != "duckdb":
        from blotout_orchestration.platform.server_queries import run_on_server

        with run_on_server(settings, query) as result:
            yield result
        return
    import duckdb

    asked = understand(query)
    with (
        tempfile.TemporaryDirectory(prefix="blotout-sql-") as spill,
        duckdb.connect(":memory:") as connection,
    ):
        has_warehouse = _attach(connection, settings)
        if asked.lists_tables:
            listed = _list_tables(connection, settings, has_warehouse)
            wanted = [item for item in listed if asked.listed_schema in (None, item.schema.lower())]
            rows = [(item.schema, item.table, item.source, item.rows) for item in wanted]
            yield QueryResult(("schema", "table", "source", "rows"), rows)
            return
        _register(connection, settings, asked, has_warehouse)
        _lock(connection, settings, spill)
        try:
            with _ended_by_ctrl_c(connection):
                cursor = connection.execute(asked.text)
                columns = tuple(str(column[0]) for column in cursor.description)
                yield QueryResult(columns, _fetch(cursor))
        except duckdb.InterruptException:
            raise KeyboardInterrupt from None
        except duckdb.Error as error:
            raise QueryError(str(error)) from None


@contextmanager
def _ended_by_ctrl_c(connection: Any) -> Iterator[None]:
    """Tell DuckDB's own threads of a Ctrl-C: otherwise they end a query that nobody waits for."""

    def stop(*_: object) -> None:
        connection.interrupt()
        raise KeyboardInterrupt

    # Only where Ctrl-C means what it means by default: not in a thread, not where Dagster listens.
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler or not _is_main_thread():
        yield
        return
    signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _fetch(cursor: Any) -> Iterator[Sequence[Any]]:
    while batch := cursor.fetchmany(BATCH):
        yield from batch


def _attach(connection: Any, settings: Settings) -> bool:
    """Attach the published warehouse under the name it has for dbt, whose views carry it."""
    import duckdb

    path = settings.published_path
    if not path.is_file():
        return False
    try:
        connection.execute(f"attach {_text(str(path))} as warehouse (read_only)")
    except duckdb.Error as error:
        raise QueryError(f"the published warehouse {path} cannot be opened: {error}") from None
    return True


def _lock(connection: Any, settings: Settings, spill: str) -> None:
    """From here on no file outside the lake's data can be opened, and nothing of this can be changed."""
    from blotout_orchestration.lake import Lake

    layers = [Lake(settings).layer(layer) for layer in ("processed", "stg")]
    folders = [layer for layer in layers if "://" not in layer]
    for statement in (
        f"use {_name(settings.namespace)}",
        "set TimeZone = 'UTC'",
        f"set temp_directory = {_text(spill)}",
        f"set allowed_directories = [{', '.join(_text(folder) for folder in folders)}]",
        "set autoinstall_known_extensions = false",
        "set autoload_known_extensions = false",
        "set enable_external_access = false",
        "set lock_configuration = true",
    ):
        connection.execute(statement)


def _register(connection: Any, settings: Settings, asked: QueryText, has_warehouse: bool) -> None:
    """A view for each table that the query names; the lake comes first."""
    from blotout_orchestration.platform.lake_views import create_lake_view, lake_tables

    own = settings.namespace
    connection.execute(f"create schema if not exists {_name(own)}")
    in_lake = lake_tables(settings, {table.schema or own for table in asked.tables})
    in_warehouse = _warehouse_tables(connection) if has_warehouse else {}
    for table in asked.tables:
        key = (table.schema or own, table.name)
        view = f"{_name(key[0])}.{_name(key[1])}"
        if key in in_lake or key in in_warehouse:
            connection.execute(f"create schema if not exists {_name(key[0])}")
        if key in in_lake:
            create_lake_view(connection, settings, view, in_lake[key])
        elif key in in_warehouse:
            schema, name = in_warehouse[key]
            connection.execute(f"create view {view} as from warehouse.{_name(schema)}.{_name(name)}")
        elif not (table.schema is None and table.name in asked.ctes):
            raise QueryError(_missing(table, settings, set(in_warehouse)))


def _missing(table: TableName, settings: Settings, in_warehouse: set[tuple[str, str]]) -> str:
    from blotout_orchestration.platform.lake_views import lake_tables

    known = sorted({*lake_tables(settings, None), *in_warehouse})
    elsewhere = [f"{schema}.{name}" for schema, name in known if name == table.name]
    names = [name if schema == settings.namespace else f"{schema}.{name}" for schema, name in known]
    close = elsewhere or get_close_matches(str(table), names, 3)
    hint = f"did you mean {', '.join(close)}?" if close else "SHOW TABLES lists what there is"
    return f"there is no table {table} in the lake or the published warehouse; {hint}"


def _warehouse_tables(connection: Any) -> dict[tuple[str, str], tuple[str, str]]:
    """Schema and name as written, by schema and name in lower case.

    The schema `lake` is left out: its views show only what dbt's last run had to read.
    """
    found = connection.execute(
        "select schema_name, table_name from duckdb_tables() where database_name = 'warehouse'"
        " union all select schema_name, view_name from duckdb_views()"
        " where database_name = 'warehouse' and not internal"
    ).fetchall()
    return {(schema.lower(), name.lower()): (schema, name) for schema, name in found if schema != "lake"}


def _list_tables(connection: Any, settings: Settings, has_warehouse: bool) -> list[ListedTable]:
    from blotout_orchestration.platform.lake_views import lake_tables, row_count

    in_lake = lake_tables(settings, None)
    listed = [
        ListedTable(*identifier, "lake", row_count(settings, identifier)) for identifier in in_lake.values()
    ]
    if has_warehouse:
        counts = dict(
            connection.execute(
                "select (schema_name, table_name), estimated_size from duckdb_tables()"
                " where database_name = 'warehouse'"
            ).fetchall()
        )
        for key, (schema, name) in _warehouse_tables(connection).items():
            if key not in in_lake:
                listed.append(ListedTable(schema, name, "warehouse", counts.get((schema, name))))
    return sorted(listed, key=lambda item: (item.schema, item.table))


def _name(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
