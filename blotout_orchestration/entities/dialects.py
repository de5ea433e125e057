"""Queries of segments and funnels as text, in the SQL of the warehouse that answers them.

Belongs here: where DuckDB, Trino and Athena differ. Does not belong here: what is asked (segment_sql.py,
funnel_sql.py), sending it (warehouse.py).
"""

from __future__ import annotations

from typing import Final

from sqlglot import exp

_ZONE: Final = "+00:00"
_DIALECTS: Final = {"duckdb": "duckdb", "trino": "trino", "athena": "trino"}


def written(query: exp.Expr, warehouse: str, *, pretty: bool = False) -> str:
    """The query for `duckdb`, `trino` or `athena`. Athena's is Trino's with moments that carry no zone: UTC."""
    if warehouse == "athena":
        query = query.transform(_without_zone)
    return query.sql(_DIALECTS[warehouse], pretty=pretty)


def moment_text(name: str) -> exp.Expr:
    """A column of moments as text, `2026-03-05 17:30:00.123456`; those of the lake and of dbt are in UTC."""
    plain = exp.cast(exp.column(name), exp.DataType.build("TIMESTAMP(6)"))
    return exp.cast(plain, exp.DataType.build("VARCHAR"))


def _without_zone(node: exp.Expr) -> exp.Expr:
    if not isinstance(node, exp.Cast) or node.to.this != exp.DataType.Type.TIMESTAMPTZ:
        return node
    value = node.this
    if isinstance(value, exp.Literal):
        value = exp.Literal.string(str(value.this).removesuffix(_ZONE))
    return exp.cast(value, exp.DataType.build("TIMESTAMP(6)"))
