"""Values of any column from Trino and Athena, as DuckDB gives them to Python.

Belongs here: what each type is selected as, so that it comes over the service's protocol whole, and what is made
of it here: a row is the same row on every ground. Does not belong here: asking (warehouse_reader.py).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from blotout_orchestration.platform.warehouse_reader import Row, WarehouseReader

_PLAIN: Final = frozenset(
    {"varchar", "char", "boolean", "tinyint", "smallint", "integer", "bigint", "double", "decimal", "date"}
)


def typed_columns(reader: WarehouseReader, sql: str) -> tuple[tuple[str, str], ...]:
    """Names and types of a query's columns; no row is read. Raises ReaderError for what is not there."""
    return reader.answer(f"select * from ({sql}) as asked limit 0").columns


def typed_rows(reader: WarehouseReader, sql: str, columns: tuple[tuple[str, str], ...]) -> Iterator[Row]:
    """The rows of the query with these columns (names all different), in no order.

    Moments are UTC; lists and rows are those of JSON. Raises ReaderError while they are read.
    """
    selected, reads = zip(*(_way(name, kind) for name, kind in columns), strict=True)
    for row in reader.rows(f"select {', '.join(selected)} from ({sql}) as asked"):
        yield tuple(
            value if read is None or value is None else read(value)
            for read, value in zip(reads, row, strict=True)
        )


def _way(name: str, kind: str) -> tuple[str, Callable[[Any], Any] | None]:
    """How a column is selected, and how the value is read that comes."""
    column = '"' + name.replace('"', '""') + '"'
    word = kind.partition("(")[0].partition(" ")[0]
    if word in _PLAIN:
        return column, None
    if word in ("real", "float"):
        return f"cast({column} as double)", None
    if word == "timestamp":
        return f"cast(cast({column} as timestamp(6)) as varchar)", _moment
    if word in ("array", "map", "row"):
        return f"json_format(cast({column} as json))", _nested
    if word == "json":
        return f"json_format({column})", None
    return f"cast({column} as varchar)", None


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _nested(text: str) -> Any:
    return json.loads(text, parse_float=Decimal)
