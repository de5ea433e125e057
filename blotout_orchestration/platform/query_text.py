"""Understanding a query before it runs: that it only reads, and which tables it names.

Belongs here: judging the text with DuckDB's own parser, so that nothing is understood differently when it
runs. Does not belong here: connections and tables.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from blotout_orchestration.errors import UsageError

READ_ONLY: Final = "blotout sql only reads: one SELECT, WITH, DESCRIBE, SHOW TABLES, SUMMARIZE or EXPLAIN"
TABLE_FUNCTIONS: Final = frozenset({"generate_series", "json_each", "json_tree", "range", "repeat", "unnest"})
"""Table functions that only compute; all others may read files or the engine's internals."""
_QUERY_NODES: Final = frozenset({"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"})
_COMMENT: Final = r"(?:\s|--[^\n]*(?:\n|$)|/\*.*?\*/)*"
_EXPLAIN: Final = re.compile(
    rf"{_COMMENT}explain\b{_COMMENT}(?:analyze\b{_COMMENT})?(?:\([^()]*\)(?={_COMMENT}(?:\w)))?",
    re.IGNORECASE | re.DOTALL,
)


class QueryError(UsageError):
    """The query cannot be run as it is; the message says why."""


@dataclass(frozen=True)
class TableName:
    """A table as a query names it, in lower case; `schema` is None when it is left out."""

    schema: str | None
    name: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}" if self.schema else self.name


@dataclass(frozen=True)
class QueryText:
    """What a query asks for: `tables` it names, `ctes` it makes itself.

    With `lists_tables` it is SHOW TABLES, of `listed_schema` only unless that is None.
    """

    text: str
    tables: frozenset[TableName]
    ctes: frozenset[str]
    lists_tables: bool = False
    listed_schema: str | None = None


def understand(query: str) -> QueryText:
    """Parse a query. Raises QueryError when it is not one reading statement or uses what is blocked."""
    import duckdb

    try:
        statements = duckdb.extract_statements(query)
    except duckdb.Error as error:
        raise QueryError(str(error)) from None
    if len(statements) != 1:
        raise QueryError(f"{READ_ONLY}; found {len(statements)} statements")
    kind = statements[0].type
    if kind == duckdb.StatementType.EXPLAIN:
        body = query[_end_of_explain(query) :]
    elif kind == duckdb.StatementType.SELECT:
        body = query
    else:
        raise QueryError(f"{READ_ONLY}; found {kind.name}")
    with duckdb.connect(":memory:") as parser:
        row = parser.execute("select json_serialize_sql(?, skip_default := true)", [body]).fetchone()
    tree = json.loads(row[0])
    if tree.get("error"):
        raise QueryError(f"{READ_ONLY}; {tree.get('error_message')}")
    return _judge(query, tree)


def _end_of_explain(query: str) -> int:
    match = _EXPLAIN.match(query)
    if not match:
        raise QueryError(READ_ONLY)
    return match.end()


def _judge(query: str, tree: dict[str, Any]) -> QueryText:
    tables: set[TableName] = set()
    ctes: set[str] = set()
    for node in _nodes(tree):
        kind = str(node.get("type", ""))
        if kind.endswith("_NODE") and kind not in _QUERY_NODES:
            raise QueryError(f"{READ_ONLY}; found {kind.removesuffix('_NODE').replace('_', ' ')}")
        if kind == "BASE_TABLE":
            tables.add(_table_name(node))
        elif kind == "TABLE_FUNCTION":
            name = str(node["function"]["function_name"]).lower()
            if name not in TABLE_FUNCTIONS:
                allowed = ", ".join(sorted(TABLE_FUNCTIONS))
                raise QueryError(f"the function {name} is blocked here; table functions allowed: {allowed}")
        elif kind == "SHOW_REF" and "query" not in node:
            if node.get("show_type") == "SHOW" and "table_name" in node:
                tables.add(_table_name(node))
                continue
            return _listing(query, node, tree)
        for entry in node.get("cte_map", {}).get("map", []):
            ctes.add(str(entry["key"]).lower())
    return QueryText(query, frozenset(tables), frozenset(ctes))


def _listing(query: str, node: dict[str, Any], tree: dict[str, Any]) -> QueryText:
    """SHOW TABLES, which must stand alone: it is answered from the catalogs, not by the engine."""
    outermost = tree["statements"][0]["node"].get("from_table") is node
    special = str(node.get("table_name", "")).strip('"').lower()
    schema = node.get("schema_name")
    if not outermost or not (special in ("tables", "__show_tables_expanded") or schema):
        raise QueryError(
            "of the SHOW statements only SHOW TABLES, SHOW ALL TABLES and SHOW TABLES FROM schema work"
        )
    return QueryText(query, frozenset(), frozenset(), True, str(schema).lower() if schema else None)


def _table_name(node: dict[str, Any]) -> TableName:
    if node.get("catalog_name"):
        raise QueryError(
            f"name tables as table or schema.table, not {'.'.join(node['qualified_name']['path'])}"
        )
    schema = node.get("schema_name")
    return TableName(str(schema).lower() if schema else None, str(node["table_name"]).lower())


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Every object of the tree, outermost first."""
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            yield item
            pending.extend(item.values())
        elif isinstance(item, list):
            pending.extend(item)
