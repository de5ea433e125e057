"""Loading one source's rows into a contract table: whole, atomic, and only when they have changed.

Belongs here: the way of rows into the tables of contract.py, for every source alike. Where rows come from
(files, an API, a database) does not.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import pyarrow as pa
from pyiceberg.expressions import EqualTo
from pyiceberg.table import Table

from blotout_orchestration.elt.contract import _LOADED
from blotout_orchestration.errors import BlotoutError
from blotout_orchestration.lake import Lake, TableSpec

_LOADED_COLUMNS = {column.name for column in _LOADED}
_HASH_PROPERTY = "blotout.content-hash"
_SOURCE_PROPERTY = "blotout.source-name"


class SourceRowsError(BlotoutError):
    """Rows that do not fit the contract table they were given for."""


def content_hash(rows: pa.Table) -> str:
    """A hash of a table's rows in any order; column order and types count, the load's own columns do not.

    Sums of two hashes a row (DuckDB's, 64 bits each): the time of a sort is spared, and rows that come twice count.
    """
    import duckdb

    plain = rows.drop_columns([name for name in rows.column_names if name in _LOADED_COLUMNS])
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'; set threads = 2")
        connection.register("plain", plain)
        found = connection.execute(
            "select count(*), sum(hash(plain)::hugeint), sum(hash('again', plain)::hugeint) from plain"
        ).fetchone()
    return hashlib.sha256(f"{plain.schema}{found}".encode()).hexdigest()


def conform(spec: TableSpec, source_name: str, rows: pa.Table, loaded_at: datetime) -> pa.Table:
    """The rows in the table's columns and types, with the source's name and the time of the load.

    Columns that the source lacks become null. Raises `SourceRowsError` for a column that the table lacks, a
    value of the wrong type, or a row of another source.
    """
    unknown = sorted(set(rows.column_names) - {column.name for column in spec.columns})
    if unknown:
        raise SourceRowsError(
            f"source {source_name}: columns {', '.join(unknown)} are not in {spec.name}; "
            f"put them into the JSON column `attributes` or leave them out"
        )
    given = {
        "source_name": pa.array([source_name] * rows.num_rows, pa.string()),
        "etl_run_date": pa.array([loaded_at.date()] * rows.num_rows, pa.date32()),
        "etl_run_datetime": pa.array([loaded_at] * rows.num_rows, pa.timestamp("us", tz="UTC")),
    }
    if "source_name" in rows.column_names:
        others = sorted(
            {str(name) for name in rows.column("source_name").unique().to_pylist()} - {source_name}
        )
        if others:
            raise SourceRowsError(
                f"source {source_name}: rows of {', '.join(others)} among its rows for {spec.name}; "
                f"load each source by itself"
            )
    columns: list[pa.Array | pa.ChunkedArray] = []
    for field in spec.arrow_schema:
        if field.name in given:
            columns.append(given[field.name])
        elif field.name in rows.column_names:
            try:
                columns.append(rows.column(field.name).cast(field.type))
            except pa.ArrowInvalid as error:
                raise SourceRowsError(
                    f"source {source_name}: column {field.name} of {spec.name} should be {field.type}: {error}"
                ) from error
        else:
            columns.append(pa.nulls(rows.num_rows, field.type))
    return pa.Table.from_arrays(columns, schema=spec.arrow_schema)


def loaded_hash(table: Table, source_name: str) -> str | None:
    """Content hash of the source's newest load, as its commit says; None when there is none."""
    newest = None
    for snapshot in sorted(table.metadata.snapshots, key=lambda one: one.sequence_number or 0):
        properties = snapshot.summary.additional_properties if snapshot.summary else {}
        if properties.get(_SOURCE_PROPERTY) == source_name:
            newest = properties.get(_HASH_PROPERTY)
    return newest


def replace_source(
    lake: Lake,
    spec: TableSpec,
    source_name: str,
    rows: pa.Table,
    *,
    run_id: str = "",
    loaded_at: datetime | None = None,
) -> bool:
    """Make `rows` all that the contract table holds of one source, in one atomic commit.

    The commit carries a hash of the rows: the same rows again make no commit. Returns whether it committed.
    Raises `SourceRowsError` for rows that do not fit.
    """
    table = lake.ensure(spec)
    conformed = conform(spec, source_name, rows, loaded_at or datetime.now(UTC))
    found = content_hash(conformed)
    known = loaded_hash(table, source_name)
    if known == found or (known is None and conformed.num_rows == 0):
        return False
    properties = {_SOURCE_PROPERTY: source_name, _HASH_PROPERTY: found, "run_id": run_id}
    lake.replace(spec, conformed, EqualTo(term="source_name", value=source_name), properties)
    return True
