"""A warehouse whose unified layer is filled by hand, and dbt runs of the reports on it.

The tables have the columns and types that unified.yml declares, so the reports are tested against the
contract and not against the models that fill it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import duckdb
import yaml

PROJECT = Path(__file__).resolve().parents[3] / "dbt_project"
SCHEMA = "shop_test"
START = datetime(2026, 1, 5, 12, tzinfo=UTC)
Row = dict[str, Any]


def day(number: float) -> datetime:
    """A moment so many days after START, a Monday noon."""
    return START + timedelta(days=number)


@lru_cache(maxsize=1)
def unified_columns() -> dict[str, dict[str, str]]:
    """Columns and types of each table of the unified layer, as declared."""
    declared = [yaml.safe_load(path.read_text()) for path in (PROJECT / "models" / "unified").glob("*.yml")]
    return {
        model["name"]: {column["name"]: column["data_type"] for column in model["columns"]}
        for file in declared
        for model in file.get("models", ())
    }


def visit(key: str, person: str | None, at: datetime, channel: str = "Direct", **more: Any) -> Row:
    """A row of `sessions`."""
    return {
        "session_key": key,
        "visitor_key": person,
        "global_user_id": person,
        "session_started_at": at,
        "session_ended_at": at,
        "engaged_seconds": 30,
        "page_views": 1,
        "is_bounce": False,
        "is_bot": False,
        "channel": channel,
        "is_direct": channel == "Direct",
        "conversions": 0,
        **more,
    }


def order(key: str, person: str | None, at: datetime, revenue: str = "100.00", **more: Any) -> Row:
    """A row of `conversions`."""
    return {
        "transaction_key": key,
        "transaction_id": key,
        "global_user_id": person,
        "converted_at": at,
        "conversion_origin": "online",
        "revenue": revenue,
        "currency": "EUR",
        "refunded": "0",
        "net_revenue": revenue,
        "is_bot": False,
        **more,
    }


def event(key: str, person: str | None, at: datetime, name: str = "page_view", **more: Any) -> Row:
    """A row of `unified_events`."""
    return {
        "event_key": key,
        "event_origin": "online",
        "event_name": name,
        "occurred_at": at,
        "received_at": at,
        "global_user_id": person,
        "is_bot": False,
        "is_refund": False,
        "is_transaction": False,
        "is_page_view": name == "page_view",
        **more,
    }


class ReportWarehouse:
    """A DuckDB file with the unified layer and the sources of the reports."""

    def __init__(self, folder: Path, parsed: Path) -> None:
        self.folder = folder
        self.parsed = parsed
        self.path = folder / "warehouse.duckdb"
        self.fill()

    @contextmanager
    def connection(self) -> Iterator[Any]:
        """A connection that is closed afterwards, so that dbt can open the file."""
        connection = duckdb.connect(str(self.path))
        try:
            connection.execute("set TimeZone = 'UTC'")
            yield connection
        finally:
            connection.close()

    def fill(
        self,
        sessions: Iterable[Row] = (),
        conversions: Iterable[Row] = (),
        unified_events: Iterable[Row] = (),
        ad_spend: Iterable[Row] = (),
        newest_load: datetime | None = None,
    ) -> None:
        """Replace the inputs; tables that dbt built stay as they are."""
        from blotout_orchestration.elt.contract import AD_SPEND
        from blotout_orchestration.lake.tables import DUCKDB_TYPES

        tables = {
            f"{SCHEMA}.sessions": (unified_columns()["sessions"], sessions),
            f"{SCHEMA}.conversions": (unified_columns()["conversions"], conversions),
            f"{SCHEMA}.unified_events": (unified_columns()["unified_events"], unified_events),
            f"{SCHEMA}.newest_load": ({"loaded_at": "timestamptz"}, [{"loaded_at": newest_load}]),
            "lake.ad_spend": ({c.name: DUCKDB_TYPES[c.type] for c in AD_SPEND.columns}, ad_spend),
        }
        with self.connection() as connection:
            for schema in (SCHEMA, "lake"):
                connection.execute(f"create schema if not exists {schema}")
            for table, (columns, rows) in tables.items():
                typed = ", ".join(f'"{name}" {kind}' for name, kind in columns.items())
                connection.execute(f"create or replace table {table} ({typed})")
                for row in rows:
                    names = ", ".join(f'"{name}"' for name in row)
                    marks = ", ".join("?" for _ in row)
                    connection.execute(f"insert into {table} ({names}) values ({marks})", list(row.values()))

    def build(self, *selectors: str, full_refresh: bool = False, **variables: Any) -> dict[str, str]:
        """Run dbt models and tests; their status by name. Fails with dbt's own messages."""
        from dbt.adapters.duckdb.connections import DuckDBConnectionManager
        from dbt.cli.main import dbtRunner

        arguments = [
            "--quiet",
            *("build", "--select", *selectors),
            *("--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT)),
            *("--target-path", str(self.parsed), "--log-path", str(self.folder / "logs")),
            *("--vars", yaml.safe_dump(variables)),
        ]
        result = dbtRunner().invoke([*arguments, *(["--full-refresh"] if full_refresh else [])])
        DuckDBConnectionManager.close_all_connections()
        results = getattr(result.result, "results", [])
        failures = [f"{r.node.name}: {r.message}" for r in results if r.status not in ("success", "pass")]
        assert result.success, f"dbt build failed: {failures or result.exception}"
        assert results, f"nothing selected by {selectors}"
        return {r.node.name: str(r.status) for r in results}

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Rows of a query; `{schema}` stands for the schema of the reports."""
        with self.connection() as connection:
            found: list[tuple[Any, ...]] = connection.execute(query.format(schema=SCHEMA)).fetchall()
            return found

    def table(self, name: str) -> list[tuple[Any, ...]]:
        """All rows of a report, in an order that does not depend on how it was built."""
        return self.rows(f"select * from {{schema}}.{name} order by all")
