"""`blotout sql`: read-only SQL over lake and warehouse."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from blotout_orchestration.commands.common import current_settings


class QueryFormat(StrEnum):
    """How a result is printed."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


def sql(
    query: Annotated[
        str, typer.Argument(help="One SELECT, WITH, DESCRIBE, SHOW TABLES, SUMMARIZE or EXPLAIN.")
    ],
    format_: Annotated[QueryFormat, typer.Option("--format", help="How to print it.")] = QueryFormat.TABLE,
) -> None:
    """Query the lake and the warehouse; nothing can be changed.

    A bare table name means {organisation}_{environment}.name; SHOW TABLES lists what there is. With WAREHOUSE trino
    or athena the query runs there, in Trino's SQL.
    """
    from blotout_orchestration.platform import query_output
    from blotout_orchestration.platform.queries import run_query

    lines = {
        QueryFormat.TABLE: query_output.table_lines,
        QueryFormat.CSV: query_output.csv_lines,
        QueryFormat.JSON: query_output.json_lines,
    }[format_]
    with run_query(current_settings(), query) as result:
        for line in lines(result):
            typer.echo(line, nl=False)
