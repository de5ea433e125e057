"""Reading the reports from Athena, by AWS's own client.

Belongs here: starting a query, waiting for it, and the values of its answer, which Athena gives as text. The
results go where those of dbt go, to the athena-logs layer, and are removed after QUERY_RESULT_DAYS.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import date
from decimal import Decimal
from typing import Any

from blotout_orchestration.analytics.dbt_project import dbt_environment
from blotout_orchestration.analytics.reports import BATCH, Reports, ReportsError, Row, refusal
from blotout_orchestration.settings import Settings

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


class _Athena(Reports):
    """Athena computes an answer whole and gives it in pages of at most 1,000 rows."""

    def __init__(self, client: Any, settings: Settings) -> None:
        environment = dbt_environment(settings)
        self._client = client
        self._context = {
            "Catalog": environment["BLOTOUT_DBT_CATALOG"],
            "Database": environment["BLOTOUT_DBT_SCHEMA"],
        }
        self._results = {"OutputLocation": environment["BLOTOUT_DBT_ATHENA_LOGS"]}

    def rows(self, sql: str) -> Iterator[Row]:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            query = self._client.start_query_execution(
                QueryString=sql, QueryExecutionContext=self._context, ResultConfiguration=self._results
            )["QueryExecutionId"]
            self._wait(query)
            yield from self._answer(query)
        except (BotoCoreError, ClientError) as error:
            raise ReportsError(f"no answer from Athena: {error}") from error

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
            raise ReportsError(f"Athena did not answer query {query} within {MAXIMUM_SECONDS:.0f} s")
        finally:
            if state in ("QUEUED", "RUNNING"):
                with suppress(Exception):
                    self._client.stop_query_execution(QueryExecutionId=query)

    def _answer(self, query: str) -> Iterator[Row]:
        pages = self._client.get_paginator("get_query_results").paginate(
            QueryExecutionId=query, PaginationConfig={"PageSize": BATCH}
        )
        for number, page in enumerate(pages):
            kinds = [column["Type"] for column in page["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]]
            # The first row of the first page is the header.
            for row in page["ResultSet"]["Rows"][0 if number else 1 :]:
                yield tuple(map(_value, kinds, row["Data"]))


def _value(kind: str, datum: dict[str, str]) -> Any:
    """One value; raises ReportsError for a type that has no text form of its own."""
    if kind not in _VALUES:
        raise ReportsError(f"Athena answered with type {kind}; select it as text")
    text = datum.get("VarCharValue")
    return None if text is None else _VALUES[kind](text)


def open_athena(settings: Settings) -> Reports:
    """Athena in AWS_REGION, with the credentials of AWS's own chain."""
    import boto3
    from botocore.config import Config

    limits = Config(retries={"mode": "standard", "max_attempts": 5})
    return _Athena(boto3.client("athena", region_name=settings.aws_region, config=limits), settings)
