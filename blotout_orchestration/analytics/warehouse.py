"""The embedded warehouse's file: what dbt reads is put into it before, what dbt made is published after.

Belongs here: the views of schema `lake`, the plan of changed hours, the published copy. On Trino and Athena
dbt reads the Iceberg tables themselves, and nothing of this is needed. What dbt runs is in dbt_project.py.

`warehouse.duckdb` belongs to dbt alone; everyone else reads `published.duckdb`, which is only ever replaced
whole. A kill at any moment leaves the old copy, or the new one. A table whose model or blocking test failed is
never published: readers keep its last good state (see unfinished.py).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pyiceberg.expressions import AlwaysTrue, BooleanExpression, In

from blotout_orchestration.analytics import unfinished
from blotout_orchestration.analytics.inputs import check_inputs
from blotout_orchestration.analytics.source_columns import SOURCES
from blotout_orchestration.errors import BlotoutError
from blotout_orchestration.events.contract import CORE_EVENTS, EVENT_HOURS
from blotout_orchestration.lake import Lake
from blotout_orchestration.platform.duckdb_files import FileBusyError, open_when_free
from blotout_orchestration.settings import Settings

MAXIMUM_PLANNED_HOURS = 500
"""With more changed hours than this the plan takes every file; the models filter the hours anyway."""

WAIT_SECONDS = 600.0
"""How long a run waits for the warehouse, which a backup or another dbt run holds meanwhile."""

_LEFTOVER = "published.*.part*"


class WarehouseError(BlotoutError):
    """The embedded warehouse cannot be used as asked."""


@dataclass(frozen=True)
class PreparedSources:
    """What a dbt run will find: whether it must rebuild everything, and the hours it takes in."""

    full_refresh: bool
    changed_hours: tuple[datetime, ...]


@contextmanager
def _open(path: Path, *, read_only: bool = False) -> Iterator[Any]:
    try:
        connection = open_when_free(path, read_only=read_only, wait_seconds=WAIT_SECONDS)
    except FileBusyError as error:
        raise WarehouseError(f"{error}; wait for that dbt run to end, or read published.duckdb") from error
    try:
        connection.execute("set TimeZone = 'UTC'")
        yield connection
    finally:
        connection.close()


def prepare_sources(lake: Lake, *, full_refresh: bool = False) -> PreparedSources:
    """Make the `lake` views that the next dbt run reads, in the warehouse's file.

    In an incremental run `lake.core_events` shows only the files that may hold rows of changed hours: those
    whose revision in `event_hours` is not the one that `processed_hours` holds, and those that an unfinished
    build had begun. The result asks for a full refresh when the warehouse holds no completed build: pass it
    on to dbt. Raises WarehouseError when another process has the file open for long.
    """
    path = lake.settings.warehouse_path
    path.parent.mkdir(parents=True, exist_ok=True)
    schema = lake.namespace
    with _open(path) as connection:
        for name in ("lake", schema):
            connection.execute(f'create schema if not exists "{name}"')
        # The ledger of hours is planned before their rows: rows newer than the ledger are taken in again.
        lake.register(connection, "lake.event_hours", EVENT_HOURS, temporary=False)
        rebuild = full_refresh or not _has_table(connection, schema, "processed_hours")
        hours = _all_hours(connection) if rebuild else _changed_hours(connection, schema)
        where = AlwaysTrue() if rebuild else _in_hours(hours)
        for name, spec in SOURCES.items():
            if spec is not EVENT_HOURS:
                condition = where if spec is CORE_EVENTS else None
                lake.register(connection, f"lake.{name}", spec, condition, temporary=False)
        return PreparedSources(rebuild, tuple(hours))


def _has_table(connection: Any, schema: str, name: str) -> bool:
    found = connection.execute(
        "select 1 from information_schema.tables where table_schema = ? and table_name = ?", [schema, name]
    )
    return found.fetchone() is not None


def _all_hours(connection: Any) -> list[datetime]:
    rows = connection.execute("select arrival_hour from lake.event_hours order by 1").fetchall()
    return [row[0] for row in rows]


def _changed_hours(connection: Any, schema: str) -> list[datetime]:
    """Hours whose revision differs, hours that are gone, and hours of a build that did not end."""
    unfinished = ""
    if _has_table(connection, schema, "changed_hours") and _has_table(connection, schema, "completed_builds"):
        unfinished = (
            f' union select arrival_hour from "{schema}".changed_hours where build_number >'
            f' (select coalesce(max(build_number), 0) from "{schema}".completed_builds)'
        )
    rows = connection.execute(
        "select coalesce(h.arrival_hour, p.arrival_hour) as arrival_hour from lake.event_hours h"
        f' full outer join "{schema}".processed_hours p on p.arrival_hour = h.arrival_hour'
        f" where h.revision is distinct from p.revision{unfinished} order by 1"
    ).fetchall()
    return [row[0] for row in rows]


def _in_hours(hours: Sequence[datetime]) -> BooleanExpression:
    if len(hours) > MAXIMUM_PLANNED_HOURS:
        return AlwaysTrue()
    return In("arrival_hour", {hour.isoformat() for hour in hours})  # type: ignore[misc,call-arg]


def begin_build(
    settings: Settings,
    layer: str,
    project: Mapping[str, Iterable[str]],
    models: Collection[str],
    jobs: Mapping[str, str] | None = None,
) -> tuple[str, ...]:
    """Note in the warehouse that dbt is about to build `models`; `project` gives the inputs of all of the layer.

    Returns unfinished models of the layer that are to be built first. With `jobs`, the job that makes each table
    of the layer, raises MissingInputError when a table that these stand on was never built; in any case
    UnfinishedInputError when one of another layer did not end well.
    """
    with _open(settings.warehouse_path) as connection:
        if jobs is not None:
            given = {*SOURCES, *(spec.name for spec in SOURCES.values()), *unfinished.unfinished(connection)}
            check_inputs(connection, settings.namespace, project, models, given=given, jobs=jobs)
        return unfinished.begin(connection, layer, project, models)


def publish(settings: Settings, *, built: Iterable[str] = ()) -> tuple[str, ...]:
    """Replace the published copy by what dbt has built; readers keep the copy that they have open.

    `built` are the models that were begun and have now been built and tested. Models that are unfinished all
    the same are returned, and stand in the copy as they were published before: one report that fails holds up no
    other. While any of the unified layer is among them nothing is replaced, as the reports stand on all of it.
    Raises WarehouseError when nothing was built yet or another process has the warehouse open for long.
    """
    source, target = settings.warehouse_path, settings.published_path
    if not source.exists():
        raise WarehouseError(f"{source} does not exist; run events_unified_view first")
    for leftover in target.parent.glob(_LEFTOVER):
        leftover.unlink(missing_ok=True)
    part = target.with_name(f"published.{os.getpid()}.part")
    with _open(source) as connection:
        unfinished.end(connection, built)
        left = unfinished.unfinished(connection)
        if unfinished.UNIFIED_LAYER in left.values():
            return tuple(sorted(left))
        connection.execute("checkpoint")
        shutil.copyfile(source, part)
    if left:
        unfinished.keep_published(part, target, settings.namespace, left)
    with part.open("rb+") as stream:
        os.fsync(stream.fileno())
    part.replace(target)
    return tuple(sorted(left))


@contextmanager
def connect_published(settings: Settings) -> Iterator[Any]:
    """A read-only connection to the published copy, in UTC, with the reports' schema as the default.

    Raises WarehouseError when nothing was published yet, and on a warehouse that is not embedded: there the
    reports are read where they are, and nothing is published.
    """
    if settings.warehouse != "duckdb":
        raise WarehouseError(f"WAREHOUSE={settings.warehouse} publishes no copy; read the reports there")
    path = settings.published_path
    if not path.exists():
        raise WarehouseError(f"{path} does not exist; run events_unified_view first")
    with _open(path, read_only=True) as connection:
        connection.execute(f'set schema = "{settings.namespace}"')
        yield connection
