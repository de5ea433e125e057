"""Every table that could be temporary: of the lake's catalog, of Glue, and of the embedded warehouse.

Belongs here: listing them with their age, and dropping one with its files. Which of them are temporary is
decided in cleanup.py.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from pyarrow import fs as pafs

from blotout_orchestration.lake import Lake
from blotout_orchestration.lake.expiry import bare, remove_stored
from blotout_orchestration.lake.layers import filesystem
from blotout_orchestration.maintenance.execution import OvertakenError, VerificationError
from blotout_orchestration.maintenance.inventory import is_our_schema, is_ours, lake_tables
from blotout_orchestration.maintenance.plan import PlanItem
from blotout_orchestration.platform.duckdb_files import FileBusyError, open_when_free
from blotout_orchestration.settings import Settings

TABLE: Final = "temporary_table"
SCHEMA: Final = "temporary_schema"
LAKE: Final = "lake"
GLUE: Final = "glue"
WAREHOUSE: Final = "warehouse"
LOADED: Final = "blotout.elt."
"""Prefix of the properties of a table that a pipeline loads."""
NO_AGE: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""DuckDB keeps no times. Nobody builds while its file can be opened, so what is temporary there is left over."""


@dataclass(frozen=True)
class TemporaryTable:
    """A table or view: where it is known, its name, when it was last changed (UTC), bytes of its files."""

    place: str
    schema: str
    name: str
    changed: datetime
    bytes: int = 0

    @property
    def full_name(self) -> str:
        """`schema.name`; tables of the warehouse have its name before."""
        prefix = f"{self.place}:" if self.place != LAKE else ""
        return f"{prefix}{self.schema}.{self.name}"


def all_tables(lake: Lake) -> list[TemporaryTable]:
    """All tables of all places by full name, temporary or not."""
    found = list(_of_lake(lake))
    if lake.settings.catalog_uri == "glue":
        found += _of_glue(lake)
    if lake.settings.warehouse == "duckdb":
        found += _of_warehouse(lake.settings)
    return sorted(found, key=lambda table: table.full_name)


def _of_lake(lake: Lake, wanted: tuple[str, ...] = ("*",)) -> Iterator[TemporaryTable]:
    for item in lake_tables(lake, wanted):
        # A loaded stream holds its cursor and its rows, whatever its source calls it.
        if item.table is None or any(name.startswith(LOADED) for name in item.table.properties):
            continue
        schema, _, name = item.identifier.rpartition(".")
        metadata, snapshot = item.table.metadata, item.table.current_snapshot()
        summary = snapshot.summary.additional_properties if snapshot and snapshot.summary else {}
        changed = datetime.fromtimestamp(metadata.last_updated_ms / 1000, UTC)
        yield TemporaryTable(LAKE, schema, name, changed, int(summary.get("total-files-size", 0)))


def _of_glue(lake: Lake) -> Iterator[TemporaryTable]:
    """Tables of Glue that are not Iceberg and are this deployment's: dbt's intermediate ones among them.

    Ours are those whose files lie in our layers, and views of our schemas.
    """
    client = _glue(lake.settings)
    for databases in client.get_paginator("get_databases").paginate():
        for database in databases["DatabaseList"]:
            for page in client.get_paginator("get_tables").paginate(DatabaseName=database["Name"]):
                for table in page["TableList"]:
                    location = table.get("StorageDescriptor", {}).get("Location", "")
                    ours = is_ours(lake, location) if location else is_our_schema(lake, database["Name"])
                    if ours and table.get("Parameters", {}).get("table_type", "").upper() != "ICEBERG":
                        changed = table.get("UpdateTime") or table.get("CreateTime") or datetime.now(UTC)
                        yield TemporaryTable(GLUE, database["Name"], table["Name"], changed.astimezone(UTC))


def _of_warehouse(settings: Settings) -> list[TemporaryTable]:
    """Tables and views of the embedded warehouse; none while dbt has its file open."""
    query = (
        "select table_schema, table_name from information_schema.tables"
        " where table_catalog = current_database() order by all"
    )
    with _warehouse(settings) as connection:
        rows = connection.execute(query).fetchall() if connection is not None else []
    return [TemporaryTable(WAREHOUSE, schema, name, NO_AGE) for schema, name in rows]


def all_schemas(lake: Lake) -> list[tuple[str, str]]:
    """(place, schema) of the lake's catalog and of the embedded warehouse."""
    schemas = [".".join(namespace) for namespace in lake.catalog.list_namespaces()]
    # The catalog of an embedded deployment is its own; one in Glue is shared.
    shared = lake.settings.catalog_uri == "glue"
    found = [(LAKE, schema) for schema in schemas if not shared or is_our_schema(lake, schema)]
    if lake.settings.warehouse == "duckdb":
        with _warehouse(lake.settings) as connection:
            query = "select schema_name from duckdb_schemas() where database_name = current_database() and not internal"
            rows = connection.execute(query).fetchall() if connection is not None else []
        found += [(WAREHOUSE, schema) for (schema,) in rows]
    return sorted(found)


@contextmanager
def _warehouse(settings: Settings) -> Iterator[Any]:
    """The embedded warehouse, opened for writing; None when there is none or dbt has it open."""
    if not settings.warehouse_path.is_file():
        yield None
        return
    try:
        connection = open_when_free(settings.warehouse_path)
    except FileBusyError:
        yield None
        return
    try:
        yield connection
    finally:
        connection.close()


def _glue(settings: Settings) -> Any:
    import boto3

    return boto3.client("glue", region_name=settings.aws_region)


def _quoted(*names: str) -> str:
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)


class Remover:
    """Dropping temporary tables and schemas."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    def _present(self, item: PlanItem) -> list[TemporaryTable]:
        place, schema, name = (item.details[key] for key in ("place", "schema", "name"))
        in_lake = place == LAKE
        found = _of_lake(self._lake, (f"{schema}.{name}".lower(),)) if in_lake else all_tables(self._lake)
        return [table for table in found if (table.place, table.schema, table.name) == (place, schema, name)]

    def recheck(self, item: PlanItem) -> str | None:
        """Why it stays: it is gone, was changed since the plan was made, or the schema is not empty."""
        if item.kind == SCHEMA:
            place, schema = item.details["place"], item.details["schema"]
            if (place, schema) not in all_schemas(self._lake):
                return "it is gone"
            inside = [t for t in all_tables(self._lake) if (t.place, t.schema) == (place, schema)]
            return f"{len(inside)} tables are in it" if inside else None
        found = self._present(item)
        if not found:
            return "it is gone, or dbt is at work"
        limit = datetime.fromisoformat(item.details["limit"])
        return "it was changed again" if found[0].changed >= limit else None

    def act(self, item: PlanItem) -> Mapping[str, Any]:
        """Drop it; the files of a lake table go after its entry, so that no reader finds half a table."""
        place, schema = str(item.details["place"]), str(item.details["schema"])
        name = str(item.details.get("name", ""))
        if place == WAREHOUSE:
            self._drop_in_warehouse(item.kind, schema, name)
            return {"dropped": 1}
        if item.kind == SCHEMA:
            self._lake.catalog.drop_namespace(schema)
            return {"dropped": 1}
        if place == GLUE:
            _glue(self._lake.settings).delete_table(DatabaseName=schema, Name=name)
            return {"dropped": 1}
        location = self._lake.catalog.load_table(f"{schema}.{name}").location()
        self._lake.catalog.drop_table(f"{schema}.{name}")
        return {"dropped": 1, "removed_bytes": item.bytes if self._remove_folder(location) else 0}

    def verify(self, item: PlanItem, done: Mapping[str, Any]) -> None:
        """Raises VerificationError when it is still known."""
        place, schema = item.details["place"], item.details["schema"]
        there = (place, schema) in all_schemas(self._lake) if item.kind == SCHEMA else self._present(item)
        if there:
            raise VerificationError(f"{item.target} is still there")

    def _drop_in_warehouse(self, kind: str, schema: str, name: str) -> None:
        with _warehouse(self._lake.settings) as connection:
            if connection is None:
                raise OvertakenError("dbt is at work")
            if kind == SCHEMA:
                connection.execute(f"drop schema if exists {_quoted(schema)}")
                return
            found = connection.execute(
                "select table_type from information_schema.tables"
                " where table_catalog = current_database() and table_schema = ? and table_name = ?",
                [schema, name],
            ).fetchone()
            if found is not None:
                what = "view" if found[0] == "VIEW" else "table"
                connection.execute(f"drop {what} {_quoted(schema, name)}")

    def _remove_folder(self, location: str) -> bool:
        """Remove a dropped table's folder when it is the table's alone; returns whether it was."""
        mine = bare(location).rstrip("/") + "/"
        layer = bare(self._lake.layer("processed")).rstrip("/") + "/"
        others = [bare(t.table.location()).rstrip("/") + "/" for t in lake_tables(self._lake) if t.table]
        if not mine.startswith(layer) or mine == layer or ".." in mine.split("/"):
            return False
        if any(other.startswith(mine) or mine.startswith(other) for other in others):
            return False
        store, path = filesystem(location.removeprefix("file://"))
        infos = store.get_file_info(pafs.FileSelector(path, recursive=True, allow_not_found=True))
        remove_stored(location, [info.path for info in infos if info.type == pafs.FileType.File])
        if Path(path).is_dir():
            shutil.rmtree(path)
        return True
