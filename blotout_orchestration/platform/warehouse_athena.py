"""Asking Athena, by AWS's own client.

Belongs here: starting a query, waiting for it, and the values of its answer, which Athena gives as text. The
results go where those of dbt go, to the athena-logs layer, and are removed after QUERY_RESULT_DAYS.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import date
from decimal import Decimal
from typing import Any

from blotout_orchestration.lake import Lake
from blotout_orchestration.platform.warehouse_reader import (
    BATCH,
    Answer,
    ReaderError,
    Row,
    WarehouseReader,
    refusal,
)
from blotout_orchestration.settings import Settings

CATALOG = "awsdatacatalog"
"""The Glue catalog of the account, as Athena names it."""

MAXIMUM_SECONDS = 1800.0
"""Athena ends a query after 30 minutes by itself, unless the account has another quota."""

_VALUES: dict[str, Callable[[str], Any]] = {
    "char": str,
    "varchar": str,
    "boolean": lambda text: text == "true",
    "tinyint": int,
    "smallint": int,
    "integer": int,
    "bigint": int,
    "float": float,
    "double": float,
    "decimal": Decimal,
    "date": date.fromisoformat,
}


class _Athena(WarehouseReader):
    """Athena computes an answer whole and gives it in pages of at most 1,000 rows."""

    def __init__(self, client: Any, settings: Settings) -> None:
        self._client = client
        self._context = {"Catalog": CATALOG, "Database": settings.namespace}
        self._results = {"OutputLocation": f"{Lake(settings).layer('athena-logs')}/"}

    def answer(self, sql: str, *, lenient: bool = False) -> Answer:
        with _told():
            query = self._client.start_query_execution(
                QueryString=sql, QueryExecutionContext=self._context, ResultConfiguration=self._results
            )["QueryExecutionId"]
            self._wait(query)
            pages = self._pages(query)
            first = next(pages)
        described = first["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]
        columns = tuple((str(column["Name"]), str(column["Type"]).lower()) for column in described)
        return Answer(columns, _fetch(first, pages, [kind for _, kind in columns], lenient))

    def _pages(self, query: str) -> Iterator[Any]:
        pages = self._client.get_paginator("get_query_results")
        return iter(pages.paginate(QueryExecutionId=query, PaginationConfig={"PageSize": BATCH}))

    def _wait(self, query: str) -> None:
        """Return when the query has succeeded; give it up on the service when this process is told to end."""
        pause, end = 0.1, time.monotonic() + MAXIMUM_SECONDS
        state = "QUEUED"
        try:
            while time.monotonic() < end:
                status = self._client.get_query_execution(QueryExecutionId=query)["QueryExecution"]["Status"]
                state = status["State"]
                if state == "SUCCEEDED":
                    return
                if state in ("FAILED", "CANCELLED"):
                    raise refusal("Athena", status.get("StateChangeReason", state))
                time.sleep(pause)
                pause = min(2 * pause, 2.0)
            raise ReaderError(f"Athena did not answer query {query} within {MAXIMUM_SECONDS:.0f} s")
        finally:
            if state in ("QUEUED", "RUNNING"):
                with suppress(Exception):
                    self._client.stop_query_execution(QueryExecutionId=query)


@contextmanager
def _told() -> Iterator[None]:
    """The client's errors as ReaderError."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise ReaderError(f"no answer from Athena: {error}") from error


def _fetch(first: Any, pages: Iterator[Any], kinds: Sequence[str], lenient: bool) -> Iterator[Row]:
    # The first row of the first page is the header.
    rows = first["ResultSet"]["Rows"][1:]
    while True:
        for row in rows:
            yield tuple(_value(kind, datum, lenient) for kind, datum in zip(kinds, row["Data"], strict=True))
        with _told():
            page = next(pages, None)
        if page is None:
            return
        rows = page["ResultSet"]["Rows"]


def _value(kind: str, datum: dict[str, str], lenient: bool) -> Any:
    """One value; raises ReaderError for a type that has no text form of its own, unless `lenient`: its text."""
    read = _VALUES.get(kind, str if lenient else None)
    if read is None:
        raise ReaderError(f"Athena answered with type {kind}; select it as text")
    text = datum.get("VarCharValue")
    return None if text is None else read(text)


def open_athena(settings: Settings) -> WarehouseReader:
    """Athena in AWS_REGION, with the credentials of AWS's own chain."""
    import boto3
    from botocore.config import Config

    limits = Config(retries={"mode": "standard", "max_attempts": 5})
    return _Athena(boto3.client("athena", region_name=settings.aws_region, config=limits), settings)
