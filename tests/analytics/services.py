"""Trino and Athena as far as a client sees them: their protocols over HTTP, answered by a DuckDB file.

The pages of Trino are those of its client protocol (`POST /v1/statement`, then `nextUri` until there is none),
as a server of version 476 sent them. Athena's are those of its JSON API, which boto3 checks on the way out.
SQL arrives in Trino's dialect and is read as that.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import duckdb
import sqlglot
from sqlglot import exp

PAGE = 3
_TYPES = {
    "VARCHAR": "varchar",
    "BIGINT": "bigint",
    "HUGEINT": "bigint",
    "DOUBLE": "double",
    "BOOLEAN": "boolean",
    "DATE": "date",
    "TIMESTAMP WITH TIME ZONE": "timestamp(6) with time zone",
}


class Service:
    """What both services do: run a query, remember what was asked, give the answer page by page."""

    def __init__(self, path: Path, schema: str) -> None:
        self.asked: list[str] = []
        self.requests: list[Any] = []
        self.cancelled: list[str] = []
        self.busy = 0
        self.down = False
        self._schema, self._lock = schema, threading.Lock()
        self._connection = duckdb.connect(str(path), read_only=True)
        self._answers: dict[str, tuple[list[tuple[str, str]], list[tuple[Any, ...]]]] = {}
        self._errors: dict[str, str] = {}

    def start(self, sql: str) -> str:
        """Run a query and keep its answer, or its error, under an id."""
        query = f"q{len(self.asked)}"
        self.asked.append(sql)
        with self._lock:
            try:
                self._connection.execute("set TimeZone = 'UTC'")
                self._connection.execute(f'set schema = "{self._schema}"')
                found = self._connection.execute(_for_duckdb(sql))
                columns = [(column[0], _type(str(column[1]))) for column in found.description]
                self._answers[query] = columns, found.fetchall()
            except duckdb.Error as error:
                self._errors[query] = str(error).splitlines()[0]
        return query

    def close(self) -> None:
        """Let the file go."""
        self._connection.close()

    def columns(self, query: str) -> list[tuple[str, str]]:
        return self._answers[query][0]

    def page(self, query: str, number: int, size: int) -> tuple[list[tuple[Any, ...]], bool]:
        """Rows of one page, and whether another follows."""
        rows = self._answers[query][1]
        return rows[number * size : (number + 1) * size], len(rows) > (number + 1) * size

    def error(self, query: str) -> str | None:
        return self._errors.get(query)


def _for_duckdb(sql: str) -> str:
    """Trino's SQL as DuckDB's; `any_match` is a function that sqlglot writes but does not read."""

    def known(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Anonymous) and str(node.this).upper() == "ANY_MATCH":
            return exp.ArrayAny(this=node.expressions[0], expression=node.expressions[1])
        return node

    return sqlglot.parse_one(sql, dialect="trino").transform(known).sql("duckdb")


def _type(kind: str) -> str:
    if kind.endswith("[]"):
        return f"array({_type(kind.removesuffix('[]'))})"
    return _TYPES.get(kind) or kind.lower().replace(",", ", ")


class TrinoService(Service):
    """Trino's coordinator."""

    def answer(self, method: str, path: str, headers: Any, body: str) -> tuple[int, Any]:
        if method == "POST" and self.busy:
            self.busy -= 1
            return 503, None
        if method == "POST":
            self.requests.append(headers)
            query = self.start(body)
            return 200, {**self._status(query, "QUEUED"), "nextUri": f"{headers['Host']}/queued/{query}/0"}
        _, stage, query, number = path.split("/")
        if method == "DELETE":
            self.cancelled.append(query)
            return 204, None
        if self.down:
            return 404, None
        if (message := self.error(query)) is not None:
            missing = "does not exist" in message
            error = {
                "message": message,
                "errorCode": 46 if missing else 1,
                "errorName": "TABLE_NOT_FOUND" if missing else "SYNTAX_ERROR",
                "errorType": "USER_ERROR",
                "failureInfo": {"type": "io.trino.spi.TrinoException", "suppressed": [], "stack": []},
            }
            return 200, {**self._status(query, "FAILED"), "error": error}
        if stage == "queued":
            return 200, {
                **self._status(query, "QUEUED"),
                "nextUri": f"{headers['Host']}/executing/{query}/0",
            }
        rows, more = self.page(query, int(number), PAGE)
        told = {**self._status(query, "RUNNING"), "columns": [_signature(*c) for c in self.columns(query)]}
        if rows:
            told["data"] = [[_json(value) for value in row] for row in rows]
        if more:
            told["nextUri"] = f"{headers['Host']}/executing/{query}/{int(number) + 1}"
        return 200, told

    def _status(self, query: str, state: str) -> dict[str, Any]:
        stats = {"state": state, "queued": state == "QUEUED", "scheduled": False, "nodes": 0}
        return {"id": query, "infoUri": f"http://ui/{query}", "stats": stats, "warnings": []}


def _signature(name: str, kind: str) -> dict[str, Any]:
    return {"name": name, "type": kind, "typeSignature": _type_signature(kind)}


def _type_signature(kind: str) -> dict[str, Any]:
    raw, _, inside = kind.rstrip(")").partition("(")
    if raw == "array":
        return {"rawType": raw, "arguments": [{"kind": "TYPE", "value": _type_signature(inside)}]}
    if raw == "timestamp":
        raw, inside = "timestamp with time zone", "6"
    numbers = inside.split(", ") if inside else []
    if raw == "varchar":
        numbers = ["2147483647"]
    return {"rawType": raw, "arguments": [{"kind": "LONG", "value": int(number)} for number in numbers]}


def _json(value: Any) -> Any:
    return value if value is None or isinstance(value, bool | int | float) else str(value)


class AthenaService(Service):
    """Athena's API. A query is seen running once before it has ended."""

    denied = False
    endless = False

    def answer(self, method: str, path: str, headers: Any, body: str) -> tuple[int, Any]:
        asked = json.loads(body)
        action = headers["X-Amz-Target"].removeprefix("AmazonAthena.")
        self.requests.append((action, asked))
        if self.denied:
            return 400, {"__type": "AccessDeniedException", "Message": f"not authorized: athena:{action}"}
        return 200, getattr(self, "_" + re.sub("(?<!^)([A-Z])", r"_\1", action).lower())(asked)

    def _start_query_execution(self, asked: Any) -> Any:
        return {"QueryExecutionId": self.start(asked["QueryString"])}

    def _stop_query_execution(self, asked: Any) -> Any:
        self.cancelled.append(asked["QueryExecutionId"])
        return {}

    def _get_query_execution(self, asked: Any) -> Any:
        query = asked["QueryExecutionId"]
        polls = [told for action, told in self.requests if action == "GetQueryExecution" and told == asked]
        status: dict[str, Any] = {"State": "SUCCEEDED"}
        if len(polls) == 1 or self.endless:
            status = {"State": "RUNNING"}
        elif (message := self.error(query)) is not None:
            known = "TABLE_NOT_FOUND: " if "does not exist" in message else ""
            status = {"State": "FAILED", "StateChangeReason": known + message}
        return {"QueryExecution": {"QueryExecutionId": query, "Status": status}}

    def _get_query_results(self, asked: Any) -> Any:
        query, number = asked["QueryExecutionId"], int(asked.get("NextToken", 0))
        columns = self.columns(query)
        rows, more = self.page(query, number, min(PAGE, asked["MaxResults"]))
        lines = [{"Data": [_datum(value) for value in row]} for row in rows]
        if number == 0:
            lines.insert(0, {"Data": [{"VarCharValue": name} for name, _ in columns]})
        info = [{"Name": name, "Type": kind.partition("(")[0]} for name, kind in columns]
        answer = {"ResultSet": {"Rows": lines, "ResultSetMetadata": {"ColumnInfo": info}}}
        return {**answer, "NextToken": str(number + 1)} if more else answer


def _datum(value: Any) -> dict[str, str]:
    if value is None:
        return {}
    if isinstance(value, bool):
        return {"VarCharValue": str(value).lower()}
    return {"VarCharValue": f"{value:f}" if isinstance(value, Decimal) else str(value)}


@contextmanager
def serving(service: Any) -> Iterator[str]:
    """The service on a port of this machine: its `host:port`."""

    class Handler(BaseHTTPRequestHandler):
        def _respond(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            status, told = service.answer(self.command, self.path, self.headers, body)
            if isinstance(told, dict) and "nextUri" in told:
                told["nextUri"] = f"http://{told['nextUri']}"
            content = b"" if told is None else json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_DELETE = _respond  # noqa: N815

        def log_message(self, *_: Any) -> None:
            """Requests are remembered, not printed."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
