"""The rows of a query over lake and warehouse, on every ground, and what is said of one that fails.

Belongs here: asking. What is asked, and judging rows, is in source.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from blotout_orchestration.activation.values import without_values
from blotout_orchestration.errors import BlotoutError
from blotout_orchestration.platform.queries import run_query
from blotout_orchestration.platform.query_text import QueryError
from blotout_orchestration.platform.warehouse_reader import ReaderError, open_server
from blotout_orchestration.platform.warehouse_values import typed_columns, typed_rows
from blotout_orchestration.settings import Settings

Rows = tuple[tuple[str, ...], Iterator[Sequence[Any]]]


class AudienceError(BlotoutError):
    """The audience cannot be read as the channel describes it."""


@contextmanager
def open_rows(settings: Settings, sql: str) -> Iterator[Rows]:
    """Names of the columns, and the rows as they are read; the same values on every ground.

    On the embedded ground DuckDB reads lake and published warehouse; Trino and Athena have both. The SQL must be
    that of all three. Raises AudienceError, without values of the rows.
    """
    with _embedded(settings, sql) if settings.warehouse == "duckdb" else _server(settings, sql) as rows:
        yield rows


@contextmanager
def _embedded(settings: Settings, sql: str) -> Iterator[Rows]:
    try:
        with run_query(settings, sql) as result:
            yield result.columns, iter(result.rows)
    except QueryError as error:
        text = str(error)
        # Names are told: a query is bound before any row is read. Later DuckDB quotes the value it stumbled over.
        bound = text.startswith(("Binder Error", "Catalog Error"))
        raise AudienceError(text if bound else without_values(text, 500)) from None


@contextmanager
def _server(settings: Settings, sql: str) -> Iterator[Rows]:
    bound = False
    try:
        with open_server(settings) as reader:
            columns = typed_columns(reader, sql)
            bound = True
            yield tuple(name for name, _ in columns), typed_rows(reader, sql, columns)
    except ReaderError as error:
        # What fails before a row is read can only tell names.
        raise AudienceError(without_values(str(error), 500) if bound else str(error)) from None
