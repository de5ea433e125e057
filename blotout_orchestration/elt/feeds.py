"""What the streams of a source tell the rest of the platform: ids, events, profiles, spend.

Belongs here: from the mappings that the streams' tables carry to all rows that a source has in the contract
tables. The contract tables are compared and replaced in load.py: what has not changed makes no commit.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from pyiceberg.table import Table

from blotout_orchestration.elt.contract import AD_SPEND, CRM_PROFILES, ID_MAPPINGS, OFFLINE_EVENTS
from blotout_orchestration.elt.feed_sql import FeedSql, MappedStream
from blotout_orchestration.elt.load import replace_source
from blotout_orchestration.elt.staged import held_sql
from blotout_orchestration.elt.stream_tables import FED, STREAM, held_columns
from blotout_orchestration.lake import Lake, TableSpec, merge_on_read
from blotout_orchestration.lake.commits import with_retries

VERSION = "1"
"""Raised whenever the same tables would give other rows."""


@dataclass(frozen=True)
class _Feed:
    spec: TableSpec
    queries: Callable[[FeedSql], list[str]]


_FEEDS = (
    _Feed(ID_MAPPINGS, FeedSql.id_mappings),
    _Feed(OFFLINE_EVENTS, FeedSql.offline_events),
    _Feed(CRM_PROFILES, FeedSql.profiles),
    _Feed(AD_SPEND, FeedSql.spend),
)


def feed_source(lake: Lake, schema: str, source_name: str, run_id: str) -> dict[str, int]:
    """Bring the contract tables in step with a source's tables.

    Returns the rows that the source has in each contract table that this changed. Killed in between, the next
    run begins it again: what the streams' tables were when it was done last stands in the first one of them.
    """
    tables = _mapped_tables(lake, schema)
    if not tables:
        return {}
    fingerprint = _fingerprint(tables)
    first = min(tables)
    if tables[first].properties.get(FED) == fingerprint:
        return {}
    changed = {}
    for spec, rows in _rows(tables, source_name):
        if replace_source(lake, spec, source_name, rows, run_id=run_id):
            changed[spec.name] = rows.num_rows
    _remember(lake, f"{schema}.{first}", fingerprint)
    return changed


def _mapped_tables(lake: Lake, schema: str) -> dict[str, Table]:
    found = {}
    if lake.catalog.namespace_exists(schema):
        for identifier in lake.catalog.list_tables(schema):
            table = lake.catalog.load_table(identifier)
            if STREAM in table.properties:
                found[identifier[-1]] = table
    return found


def _fingerprint(tables: Mapping[str, Table]) -> str:
    said = [VERSION]
    for name, table in sorted(tables.items()):
        snapshot = table.current_snapshot()
        said += [name, str(snapshot.snapshot_id if snapshot else None), table.properties[STREAM]]
    return hashlib.sha256("\n".join(said).encode()).hexdigest()


def _remember(lake: Lake, identifier: str, fingerprint: str) -> None:
    def attempt() -> None:
        with lake.catalog.load_table(identifier).transaction() as transaction:
            transaction.set_properties({FED: fingerprint})

    with_retries(attempt)


def _rows(tables: Mapping[str, Table], source_name: str) -> list[tuple[TableSpec, pa.Table]]:
    """All rows of the source for each contract table."""
    import duckdb

    found: list[tuple[TableSpec, pa.Table]] = []
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'; set threads = 2")
        streams = {name: _registered(connection, name, table) for name, table in tables.items()}
        sql = FeedSql(streams)
        for feed in _FEEDS:
            queries = feed.queries(sql)
            schema = pa.schema(
                [
                    field
                    for field in feed.spec.arrow_schema
                    if not field.name.startswith(("etl_", "source_name"))
                ]
            )
            if queries:
                rows = connection.sql(" union all ".join(queries)).to_arrow_table()
                rows = rows.rename_columns(schema.names).cast(schema)
            else:
                rows = schema.empty_table()
            found.append((feed.spec, rows))
    return found


def _registered(connection: Any, name: str, table: Table) -> MappedStream:
    """A view over the table's rows, and what its properties say of it."""
    view = f"stream_{name}"
    plan = merge_on_read.plan(table)
    kinds = held_columns(table)
    if plan.files:
        connection.execute(f"create view {view} as {held_sql(plan)}")
    else:
        columns = ", ".join(f'cast(null as varchar) as "{column}"' for column in kinds) or "null as nothing"
        connection.execute(f"create view {view} as select {columns} where false")
    return MappedStream(name, view, kinds, json.loads(table.properties[STREAM]))
