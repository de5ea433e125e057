"""Engine-neutral reads: the data files of one snapshot, and DuckDB views over them.

Readers plan files from a snapshot, so nobody reads half a table or a table twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyiceberg.expressions import AlwaysTrue, BooleanExpression
from pyiceberg.table import Table

from blotout_orchestration.lake.tables import DUCKDB_TYPES, TableSpec


def planned_files(table: Table, where: BooleanExpression | None = None) -> list[str]:
    """Paths of the newest snapshot's data files that may hold rows matching `where`, sorted."""
    tasks = table.scan(row_filter=where or AlwaysTrue()).plan_files()
    return sorted({task.file.file_path.removeprefix("file://") for task in tasks})


def quote(text: str) -> str:
    """A SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def create_view(
    connection: Any,
    name: str,
    spec: TableSpec,
    files: list[str],
    *,
    delete_files: Sequence[str] = (),
    positions: bool = False,
    temporary: bool = True,
) -> None:
    """A DuckDB view over Parquet files with the contract's columns and types, empty without files.

    A column that no file has, because the contract gained it after they were written, is null.
    Rows named by `delete_files` (Iceberg position deletes) are left out. With `positions` the view has two
    more columns, `file_path` and `pos`: where each row lies.
    """
    nothing = "select {} where false".format(
        ", ".join(f'cast(null as {DUCKDB_TYPES[column.type]}) as "{column.name}"' for column in spec.columns)
    )
    if files:
        listing = ", ".join(quote(path) for path in files)
        columns = ", ".join(
            f'cast("{column.name}" as {DUCKDB_TYPES[column.type]}) as "{column.name}"'
            for column in spec.columns
        )
        located = positions or bool(delete_files)
        options = "union_by_name = true" + (", filename = true, file_row_number = true" if located else "")
        if positions:
            columns += ", data.filename as file_path, data.file_row_number as pos"
        found = f"({nothing} union all by name select * from read_parquet([{listing}], {options}))"
        body = f"select {columns} from {found} as data"
        if delete_files:
            gone = ", ".join(quote(path) for path in delete_files)
            body += (
                f" anti join (select replace(file_path, 'file://', '') as file_path, pos from"
                f" read_parquet([{gone}])) as gone"
                " on data.filename = gone.file_path and data.file_row_number = gone.pos"
            )
    elif positions:
        body = f"select *, cast(null as VARCHAR) as file_path, cast(null as BIGINT) as pos from ({nothing})"
    else:
        body = nothing
    kind = "temporary view" if temporary else "view"
    connection.execute(f"create or replace {kind} {name} as {body}")
