"""The job `cleanup_temp_tables`: which temporary things are old enough to go, and removing them.

Belongs here: the plan and its guards. Removing tables is in temporary_tables.py, files in expired_files.py.

Three guards hold before anything is planned: a pattern that matches a protected name is refused, and so is one
that matches too large a share of the lake; and what is younger than its age is never touched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from blotout_orchestration.lake import Lake
from blotout_orchestration.maintenance import expired_files, temporary_tables
from blotout_orchestration.maintenance.inventory import declared_tables, lake_tables, matches, patterns
from blotout_orchestration.maintenance.plan import Plan, PlanItem
from blotout_orchestration.maintenance.temporary_tables import SCHEMA, TABLE, TemporaryTable

JOB = "cleanup_temp_tables"
PATTERN = "pattern"
ALWAYS_ALLOWED = 2
"""So many tables a pattern may match whatever the share: in a lake of three tables one is a third."""


def usable_patterns(
    wanted: Sequence[str],
    names: Sequence[str],
    protected: Sequence[str],
    protected_patterns: Sequence[str],
    share: int,
) -> tuple[list[str], list[PlanItem]]:
    """The patterns that may be used on these table names, and those that are refused with the reason.

    `protected` are names, existing or not; `share` is in percent of all tables.
    """
    usable: list[str] = []
    refused: list[PlanItem] = []
    for pattern in wanted:
        found = [name for name in names if matches(name, (pattern,))]
        kept = [name for name in found if matches(name, tuple(protected_patterns))]
        hit = sorted({name for name in protected if matches(name, (pattern,))} | set(kept))
        allowed = max(ALWAYS_ALLOWED, len(names) * share / 100)
        if hit:
            why = f"it matches {len(hit)} protected names, e.g. {hit[0]}; write it narrower"
        elif len(found) > allowed:
            why = (
                f"it matches {len(found)} of {len(names)} tables, more than CLEANUP_MAXIMUM_SHARE ({share} %);"
                " write it narrower, or raise the share for this run"
            )
        else:
            usable.append(pattern)
            continue
        refused.append(PlanItem(PATTERN, pattern, why, count=len(found)))
    return usable, refused


def plan_cleanup(lake: Lake, now: datetime) -> Plan:
    """Temporary tables and schemas by name and age, then expired files by place and age."""
    settings = lake.settings
    tables = temporary_tables.all_tables(lake)
    usable, refused = usable_patterns(
        patterns(settings.temporary_table_patterns),
        sorted({table.name for table in tables}),
        list(declared_tables()),
        patterns(settings.protected_patterns),
        settings.cleanup_maximum_share,
    )
    limit = now - timedelta(hours=settings.temporary_table_hours)
    protected = (*declared_tables(), *patterns(settings.protected_patterns))
    items = [
        _table_item(table, limit)
        for table in tables
        if table.changed < limit
        and matches(table.name, tuple(usable))
        and not matches(table.name, tuple(protected))
        and not matches(table.full_name, tuple(protected))
    ]
    items += _schema_items(lake, tables, items, usable, protected)
    locations = [found.table.location() for found in lake_tables(lake) if found.table is not None]
    items += expired_files.plan_left_folders(
        lake,
        limit,
        lambda name: matches(name, tuple(usable)) and not matches(name, tuple(protected)),
        locations,
    )
    items += expired_files.plan_files(lake, now)
    return Plan(JOB, now, tuple(items), tuple(refused))


def _table_item(table: TemporaryTable, limit: datetime) -> PlanItem:
    return PlanItem(
        TABLE,
        table.full_name,
        f"temporary by its name, last changed {table.changed:%Y-%m-%d %H:%M} UTC",
        bytes=table.bytes,
        details={
            "place": table.place,
            "schema": table.schema,
            "name": table.name,
            "limit": limit.isoformat(),
        },
    )


def _schema_items(
    lake: Lake,
    tables: Sequence[TemporaryTable],
    going: Sequence[PlanItem],
    usable: Sequence[str],
    protected: Sequence[str],
) -> list[PlanItem]:
    """Temporary schemas in which no table will be left; the schema of the reports is never one."""
    gone = {item.target for item in going}
    items = []
    for place, schema in temporary_tables.all_schemas(lake):
        staying = [table for table in tables if table.schema == schema and table.place == place]
        staying = [table for table in staying if table.full_name not in gone]
        temporary = matches(schema, tuple(usable)) and not matches(schema, tuple(protected))
        if temporary and not staying and schema != lake.namespace:
            why = "temporary by its name, and empty"
            items.append(PlanItem(SCHEMA, schema, why, details={"place": place, "schema": schema}))
    return items


class CleanupAction:
    """Removing one item: a table, a schema, or files."""

    def __init__(self, lake: Lake, now: datetime) -> None:
        self._tables = temporary_tables.Remover(lake)
        self._files = expired_files.Remover(lake, now)

    def _of(self, item: PlanItem) -> temporary_tables.Remover | expired_files.Remover:
        return self._tables if item.kind in (TABLE, SCHEMA) else self._files

    def recheck(self, item: PlanItem) -> str | None:
        """Why it must stay: it is gone, was changed, or is in use again."""
        return self._of(item).recheck(item)

    def act(self, item: PlanItem) -> Mapping[str, Any]:
        """Remove it."""
        return self._of(item).act(item)

    def verify(self, item: PlanItem, done: Mapping[str, Any]) -> None:
        """Look whether it is gone. Raises VerificationError."""
        self._of(item).verify(item, done)
