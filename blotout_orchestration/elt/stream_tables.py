"""The Iceberg table of a stream: made and widened as its source goes, with the loader's state in it.

Belongs here: the table, its properties and its columns. How rows come in is conform.py and commit.py.
The state lies in table properties, which the commit of the rows sets: rows and state cannot disagree, and
the expiry of snapshots leaves it alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from pyiceberg.exceptions import TableAlreadyExistsError
from pyiceberg.io.pyarrow import _ConvertToIcebergWithoutIDs, schema_to_pyarrow, visit_pyarrow
from pyiceberg.schema import Schema, assign_fresh_schema_ids
from pyiceberg.table import Table
from pyiceberg.types import DecimalType, IcebergType

from blotout_orchestration.elt.types import TIMESTAMP, lake_type
from blotout_orchestration.lake import Lake
from blotout_orchestration.lake.commits import with_retries
from blotout_orchestration.lake.tables import ensure_namespace

STATE = "blotout.elt.state"
LOAD = "blotout.elt.load"
STREAM = "blotout.elt.stream"
FED = "blotout.elt.fed"
NAMES = "blotout.elt.names"
RUN_COLUMNS = (pa.field("etl_run_date", pa.date32()), pa.field("etl_run_datetime", TIMESTAMP))


@dataclass(frozen=True)
class StreamState:
    """What the last load left: the resource's own state (as dlt's typed JSON), and which load it was."""

    resource: str | None = None
    load: dict[str, Any] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    """Source columns that are called otherwise in the table, so that they are called so for ever."""

    @property
    def load_id(self) -> str:
        """The last load's id, empty before the first."""
        return str(self.load.get("load_id", ""))


def read_state(table: Table | None) -> StreamState:
    """The state that a stream's table holds."""
    if table is None:
        return StreamState()
    properties = table.properties
    return StreamState(
        properties.get(STATE), json.loads(properties.get(LOAD, "{}")), json.loads(properties.get(NAMES, "{}"))
    )


def load_table(lake: Lake, schema: str, name: str) -> Table | None:
    """The stream's table, None before its first load."""
    identifier = f"{schema}.{name}"
    return lake.catalog.load_table(identifier) if lake.catalog.table_exists(identifier) else None


def held_columns(table: Table | None) -> dict[str, pa.DataType]:
    """Columns of the table with their types in the lake's words, the loader's own left out."""
    if table is None:
        return {}
    own = {one.name for one in RUN_COLUMNS}
    schema = schema_to_pyarrow(table.schema(), include_field_ids=False)
    return {one.name: lake_type(one.type) for one in schema if one.name not in own}


def arrow_schema(table: Table) -> pa.Schema:
    """The table's schema as rows must have it."""
    own = {one.name: one.type for one in RUN_COLUMNS}
    columns = held_columns(table)
    return pa.schema([pa.field(name, columns.get(name) or own[name]) for name in table.schema().column_names])


def evolve(lake: Lake, schema: str, name: str, columns: Mapping[str, pa.DataType], description: str) -> Table:
    """The table with at least these columns and types: made, widened by columns, decimals made wider.

    Adding a column changes no row, so this is a commit of its own before the rows come.
    """
    return with_retries(lambda: _evolve(lake, schema, name, columns, description))


def _evolve(
    lake: Lake, schema: str, name: str, columns: Mapping[str, pa.DataType], description: str
) -> Table:
    identifier = f"{schema}.{name}"
    if not lake.catalog.table_exists(identifier):
        ensure_namespace(lake.catalog, schema)
        wanted = pa.schema([*(pa.field(key, kind) for key, kind in columns.items()), *RUN_COLUMNS])
        try:
            return lake.catalog.create_table(
                identifier,
                assign_fresh_schema_ids(visit_pyarrow(wanted, _ConvertToIcebergWithoutIDs())),
                location=f"{lake.layer('stg')}/{schema}/{name}",
                properties={
                    "comment": description,
                    "write.parquet.compression-codec": "zstd",
                    "write.metadata.delete-after-commit.enabled": "true",
                    "write.metadata.previous-versions-max": "20",
                    "commit.manifest-merge.enabled": "true",
                },
            )
        except TableAlreadyExistsError:
            pass
    table = lake.catalog.load_table(identifier)
    held = held_columns(table)
    missing = {key: kind for key, kind in columns.items() if key not in held}
    wider = {
        key: kind
        for key, kind in columns.items()
        if key in held and kind != held[key] and pa.types.is_decimal(kind)
    }
    if missing or wider:
        with table.update_schema() as update:
            for key, kind in missing.items():
                update.add_column(key, _iceberg_type(kind))
            for key, kind in wider.items():
                update.update_column(key, field_type=DecimalType(kind.precision, kind.scale))
    return table


def _iceberg_type(kind: pa.DataType) -> IcebergType:
    made: Schema = visit_pyarrow(pa.schema([pa.field("x", kind)]), _ConvertToIcebergWithoutIDs())  # type: ignore[assignment]
    return made.fields[0].field_type
