"""`blotout sql` on Trino and Athena: the query runs there, where the tables of the lake and of dbt both lie.

Belongs here: judging that a text only reads, and sending it as it was written. Does not belong here: DuckDB's
way (queries.py), printing (query_output.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from blotout_orchestration.lake.reads import quote
from blotout_orchestration.platform.queries import QueryResult
from blotout_orchestration.platform.query_text import QueryError
from blotout_orchestration.platform.warehouse_reader import Row, open_server
from blotout_orchestration.settings import Settings

READ_ONLY: Final = "blotout sql only reads: one SELECT, WITH, VALUES, DESCRIBE or SHOW TABLES, in Trino's SQL"
_IDENTIFIER: Final = r'"?(\w+)"?'
_SHOW: Final = re.compile(rf"show\s+(all\s+)?tables(?:\s+(?:from|in)\s+{_IDENTIFIER})?", re.IGNORECASE)
_DESCRIBE: Final = re.compile(rf"desc(?:ribe)?\s+(?:{_IDENTIFIER}\.)?{_IDENTIFIER}", re.IGNORECASE)
_QUERY: Final = re.compile(r"(?:select|with|values|table)\b|\(", re.IGNORECASE)


@contextmanager
def run_on_server(settings: Settings, query: str) -> Iterator[QueryResult]:
    """Run one reading statement; the rows can be fetched while the context is open.

    Names: `table` means `{organisation}_{environment}.table`. Raises QueryError for a text that is refused here,
    ReaderError when the service refuses or does not answer.
    """
    text = query.strip().removesuffix(";").rstrip()
    described = _described(settings, text)
    sql = described or _shown(settings, text) or text
    if sql is text:
        judge(text)
    with open_server(settings) as reader:
        answer = reader.answer(sql, lenient=True)
        rows: Iterable[Row] = answer.rows
        if described and not (rows := list(rows)):
            raise QueryError(f"there is no table {text.split()[-1]}; SHOW TABLES lists what there is")
        yield QueryResult(tuple(name for name, _ in answer.columns), rows)


def judge(text: str) -> None:
    """Raise QueryError unless the text is one query over tables of this catalog.

    A text that begins like a query can only be one for Trino, whatever follows; the parser finds the rest.
    """
    import sqlglot
    from sqlglot import exp

    if not _QUERY.match(text):
        raise QueryError(f"{READ_ONLY}; found {text.partition(' ')[0][:20] or 'nothing'}")
    try:
        statements = sqlglot.parse(text, dialect="trino")
    except sqlglot.ParseError as error:
        raise QueryError(f"not Trino's SQL: {_reason(error)}") from None
    except sqlglot.errors.SqlglotError as error:
        raise QueryError(f"not Trino's SQL: {error}") from None
    if len(statements) != 1 or not isinstance(statements[0], exp.Query | exp.Values):
        raise QueryError(f"{READ_ONLY}; found {len(statements)} statements")
    writing = (exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.Create, exp.Drop, exp.Command, exp.Into)
    for node in statements[0].walk():
        if isinstance(node, writing):
            raise QueryError(f"{READ_ONLY}; found {node.key.upper()}")
        if isinstance(node, exp.Table):
            if not isinstance(node.this, exp.Identifier):
                raise QueryError(f"{READ_ONLY}; table functions are blocked here")
            if node.catalog:
                raise QueryError(f"name tables as table or schema.table, not {node.sql('trino')}")


def _reason(error: Exception) -> str:
    found = getattr(error, "errors", None) or [{}]
    described, line, place = (found[0].get(name) for name in ("description", "line", "col"))
    return f"{described} (line {line}, column {place})" if described else type(error).__name__


def _shown(settings: Settings, text: str) -> str | None:
    """SHOW TABLES as a query: of the deployment's schema, of the one that is named, or of all."""
    if not (match := _SHOW.fullmatch(text)):
        return None
    every, schema = match.groups()
    wanted = f"= {quote((schema or settings.namespace).lower())}"
    if every and schema is None:
        wanted = "<> 'information_schema'"
    return (
        'select table_schema as "schema", table_name as "table",'
        " case when table_type = 'VIEW' then 'view' else 'table' end as kind"
        f" from information_schema.tables where table_schema {wanted} order by 1, 2"
    )


def _described(settings: Settings, text: str) -> str | None:
    """DESCRIBE as a query."""
    if not (match := _DESCRIBE.fullmatch(text)):
        return None
    schema, table = match.groups()
    return (
        "select column_name, data_type as column_type from information_schema.columns"
        f" where table_schema = {quote((schema or settings.namespace).lower())}"
        f" and table_name = {quote(table.lower())} order by ordinal_position"
    )
