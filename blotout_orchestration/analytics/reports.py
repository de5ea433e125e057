"""Reading the tables of dbt on every ground: DuckDB's published copy, Trino, Athena.

Belongs here: one way to ask, in the SQL that all three understand, and what is said when there is no answer.
The services are in reports_trino.py and reports_athena.py. Writing does not belong here: what Python computes
from the reports goes to the lake, whose catalog Trino and Athena read too.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from blotout_orchestration.analytics.warehouse import WarehouseError, connect_published
from blotout_orchestration.lake.reads import quote
from blotout_orchestration.settings import Settings

BATCH = 1_000
"""Rows that are fetched at once: no answer is held whole."""

Row = tuple[Any, ...]


class ReportsError(WarehouseError):
    """The reports cannot be read: not built yet, no answer from the service, or the service refuses."""


class Reports(ABC):
    """The open reports of one deployment; bare names of tables are those of its schema."""

    @abstractmethod
    def rows(self, sql: str) -> Iterator[Row]:
        """The rows of one query, fetched as they are read; a query ends the one before.

        Values are str, int, float, Decimal, bool, date or None: select anything else as text. The SQL must be
        that of both DuckDB and Trino. Raises ReportsError.
        """

    def row(self, sql: str) -> Row:
        """The one row of a query of aggregates. Raises ReportsError."""
        (found,) = self.rows(sql)
        return found

    def list_text(self, column: str) -> str:
        """An expression of a column of lists of texts as a JSON array, null for null."""
        return f"json_format(cast({column} as json))"


def literal(text: str | None) -> str:
    """A text as SQL literal, for every ground."""
    return "null" if text is None else quote(text)


def refusal(service: str, said: str) -> ReportsError:
    """The error for a query that a service refused with these words."""
    if "TABLE_NOT_FOUND" in said or "SCHEMA_NOT_FOUND" in said or "does not exist" in said:
        return ReportsError(f"a table is not built yet, run events_unified_view and then its own job: {said}")
    return ReportsError(f"{service} could not answer: {said}")


class _Published(Reports):
    """The published copy of the embedded warehouse."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def rows(self, sql: str) -> Iterator[Row]:
        import duckdb

        try:
            answer = self._connection.execute(sql)
            while batch := answer.fetchmany(BATCH):
                yield from batch
        except duckdb.Error as error:
            raise refusal("DuckDB", str(error)) from error

    def list_text(self, column: str) -> str:
        return f"cast(to_json({column}) as varchar)"


@contextmanager
def open_reports(settings: Settings) -> Iterator[Reports]:
    """The reports where WAREHOUSE has them, to be read only, in UTC.

    On DuckDB that is the state published last. On Trino and Athena it is each table's newest commit: while dbt
    runs, one table may be newer than the next. Raises WarehouseError when nothing was published yet, and
    ReportsError (a WarehouseError) when the service cannot be asked.
    """
    if settings.warehouse == "trino":
        from blotout_orchestration.analytics.reports_trino import open_trino

        with open_trino(settings) as reports:
            yield reports
    elif settings.warehouse == "athena":
        from blotout_orchestration.analytics.reports_athena import open_athena

        yield open_athena(settings)
    else:
        with connect_published(settings) as connection:
            yield _Published(connection)
