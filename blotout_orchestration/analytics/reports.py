"""Reading the tables of dbt on every ground: DuckDB's published copy, Trino, Athena.

Belongs here: which of them is open, and the published copy as a reader. What every reader can do, and the
services, are in platform/warehouse_reader.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from blotout_orchestration.analytics.warehouse import connect_published
from blotout_orchestration.platform.warehouse_reader import (
    BATCH,
    Answer,
    Row,
    literal,
    open_server,
    refusal,
)
from blotout_orchestration.platform.warehouse_reader import ReaderError as ReportsError
from blotout_orchestration.platform.warehouse_reader import WarehouseReader as Reports
from blotout_orchestration.settings import Settings

__all__ = ["Reports", "ReportsError", "literal", "open_reports"]


class _Published(Reports):
    """The published copy of the embedded warehouse."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def answer(self, sql: str, *, lenient: bool = False) -> Answer:
        import duckdb

        try:
            found = self._connection.execute(sql)
        except duckdb.Error as error:
            raise refusal("DuckDB", str(error)) from error
        return Answer(tuple((str(column[0]), str(column[1])) for column in found.description), _fetch(found))

    def list_text(self, column: str) -> str:
        return f"cast(to_json({column}) as varchar)"


def _fetch(answer: Any) -> Iterator[Row]:
    import duckdb

    try:
        while batch := answer.fetchmany(BATCH):
            yield from batch
    except duckdb.Error as error:
        raise refusal("DuckDB", str(error)) from error


@contextmanager
def open_reports(settings: Settings) -> Iterator[Reports]:
    """The reports where WAREHOUSE has them, to be read only, in UTC.

    On DuckDB that is the state published last. On Trino and Athena it is each table's newest commit: while dbt
    runs, one table may be newer than the next. Raises WarehouseError when nothing was published yet, and
    ReportsError when the service cannot be asked.
    """
    if settings.warehouse == "duckdb":
        with connect_published(settings) as connection:
            yield _Published(connection)
    else:
        with open_server(settings) as reports:
            yield reports
