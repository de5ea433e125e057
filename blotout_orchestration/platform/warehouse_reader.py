"""Asking the warehouse in SQL, wherever it stands: what every reader can do, and what is said without an answer.

Belongs here: one way to ask, in the SQL that DuckDB and Trino both understand. The services are in
warehouse_trino.py and warehouse_athena.py. Writing does not belong here: what Python computes goes to the lake,
whose catalog Trino and Athena read too.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from blotout_orchestration.errors import BlotoutError
from blotout_orchestration.lake.reads import quote
from blotout_orchestration.settings import Settings

BATCH = 1_000
"""Rows that are fetched at once: no answer is held whole."""

Row = tuple[Any, ...]


class ReaderError(BlotoutError):
    """The warehouse cannot be read: not built yet, no answer from the service, or the service refuses."""


@dataclass(frozen=True)
class Answer:
    """An answer as it comes: each column's name and type as the service names it, and the rows as they are read."""

    columns: tuple[tuple[str, str], ...]
    rows: Iterator[Row]


class WarehouseReader(ABC):
    """The open warehouse of one deployment; bare names of tables are those of its schema."""

    @abstractmethod
    def answer(self, sql: str, *, lenient: bool = False) -> Answer:
        """Run one query; it ends the one before.

        Values are str, int, float, Decimal, bool, date or None: select anything else as text. `lenient` gives
        other types as the service's client does. The SQL must be the service's. Raises ReaderError, also while
        rows are read.
        """

    def rows(self, sql: str) -> Iterator[Row]:
        """The rows of one query, fetched as they are read. Raises ReaderError."""
        yield from self.answer(sql).rows

    def row(self, sql: str) -> Row:
        """The one row of a query of aggregates. Raises ReaderError."""
        (found,) = self.rows(sql)
        return found

    def list_text(self, column: str) -> str:
        """An expression of a column of lists of texts as a JSON array, null for null."""
        return f"json_format(cast({column} as json))"


def literal(text: str | None) -> str:
    """A text as SQL literal, for every ground."""
    return "null" if text is None else quote(text)


def refusal(service: str, said: str) -> ReaderError:
    """The error for a query that a service refused with these words."""
    if "TABLE_NOT_FOUND" in said or "SCHEMA_NOT_FOUND" in said or "does not exist" in said:
        return ReaderError(f"a table is not built yet, run events_unified_view and then its own job: {said}")
    return ReaderError(f"{service} could not answer: {said}")


@contextmanager
def open_server(settings: Settings) -> Iterator[WarehouseReader]:
    """The warehouse of WAREHOUSE=trino or athena, in UTC: each table's newest commit, of lake and dbt alike.

    While dbt runs, one table may be newer than the next. Raises ReaderError when the service cannot be asked.
    """
    if settings.warehouse == "trino":
        from blotout_orchestration.platform.warehouse_trino import open_trino

        with open_trino(settings) as reader:
            yield reader
    elif settings.warehouse == "athena":
        from blotout_orchestration.platform.warehouse_athena import open_athena

        yield open_athena(settings)
    else:
        raise ReaderError(f"WAREHOUSE={settings.warehouse} is no server")
