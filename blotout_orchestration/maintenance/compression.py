"""The job `compression`: what of the lake is compacted, expired and swept, and doing it.

Belongs here: the plan over all tables and the action on one item. How files are replaced and found unneeded
is in the lake's compaction.py and expiry.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from blotout_orchestration.lake import Lake
from blotout_orchestration.lake.compaction import FilesChangedError, Thresholds, plan_groups, rewrite_group
from blotout_orchestration.lake.expiry import (
    StoredFile,
    UnsafeSweepError,
    expirable_snapshots,
    expire,
    remove_stored,
    unreferenced_files,
)
from blotout_orchestration.lake.rewriting import live_tasks
from blotout_orchestration.maintenance.execution import OvertakenError, VerificationError
from blotout_orchestration.maintenance.inventory import LakeTable, lake_tables, sort_columns
from blotout_orchestration.maintenance.plan import Plan, PlanItem
from blotout_orchestration.settings import Settings

JOB = "compression"
COMPACT, EXPIRE, SWEEP = "compact", "expire_snapshots", "remove_unreferenced"
MEGABYTE = 1_000_000


def thresholds(settings: Settings) -> Thresholds:
    """The thresholds of compaction from the settings."""
    return Thresholds(
        target_bytes=settings.compaction_target_megabytes * MEGABYTE,
        minimum_files=settings.compaction_minimum_files,
        average_bytes=settings.compaction_average_megabytes * MEGABYTE,
        open_for=timedelta(hours=settings.compaction_open_hours),
    )


def plan_compression(lake: Lake, now: datetime, wanted: tuple[str, ...] = ("*",)) -> Plan:
    """What is to do on every table whose name matches; tables that cannot be judged are refused."""
    items: list[PlanItem] = []
    refused: list[PlanItem] = []
    tables = list(lake_tables(lake))
    chosen = {table.identifier for table in lake_tables(lake, wanted)}
    for found in tables:
        if found.identifier not in chosen:
            continue
        if found.table is None:
            refused.append(PlanItem(COMPACT, found.identifier, found.problem))
            continue
        items += _compactions(lake.settings, found, now)
        items += _expiry(lake.settings, found, now)
        try:
            items += _sweep(lake, found, tables, now)
        except UnsafeSweepError as error:
            refused.append(PlanItem(SWEEP, found.identifier, str(error)))
    order = {COMPACT: 0, EXPIRE: 1, SWEEP: 2}
    return Plan(JOB, now, tuple(sorted(items, key=lambda item: order[item.kind])), tuple(refused))


def _compactions(settings: Settings, found: LakeTable, now: datetime) -> list[PlanItem]:
    assert found.table is not None
    sort_by = sort_columns(found.table)
    items = []
    for group in plan_groups(found.table, thresholds(settings), sort_by, now):
        deletes = (
            f", {group.files_with_deletes} of them with deleted rows" if group.files_with_deletes else ""
        )
        items.append(
            PlanItem(
                COMPACT,
                f"{found.identifier} {group.partition}".strip(),
                f"{group.files} files{deletes} become {len(group.bins)}",
                count=group.files,
                bytes=group.bytes,
                details={"table": found.identifier, "bins": [list(part) for part in group.bins]},
            )
        )
    return items


def _expiry(settings: Settings, found: LakeTable, now: datetime) -> list[PlanItem]:
    assert found.table is not None
    keep = timedelta(days=settings.snapshot_keep_days)
    snapshots = expirable_snapshots(found.table, now, keep, settings.snapshot_minimum)
    if not snapshots:
        return []
    why = f"{len(snapshots)} snapshots were replaced more than {settings.snapshot_keep_days} days ago"
    details = {"table": found.identifier, "snapshots": snapshots}
    return [PlanItem(EXPIRE, found.identifier, why, count=len(snapshots), details=details)]


def _sweep(lake: Lake, found: LakeTable, tables: Sequence[LakeTable], now: datetime) -> list[PlanItem]:
    assert found.table is not None
    others = [other.table.location() for other in tables if other.table is not None and other is not found]
    hours = lake.settings.unreferenced_grace_hours
    files = unreferenced_files(lake.catalog, found.identifier, others, now, timedelta(hours=hours))
    if not files:
        return []
    why = f"{len(files)} files that no snapshot refers to, untouched for {hours} hours"
    details = {"table": found.identifier, "paths": [file.path for file in files]}
    size = sum(file.size for file in files)
    return [PlanItem(SWEEP, found.identifier, why, count=len(files), bytes=size, details=details)]


class CompressionAction:
    """Doing an item of the plan: compact a partition, expire snapshots, or sweep files."""

    def __init__(self, lake: Lake, run_id: str, now: datetime) -> None:
        self._lake = lake
        self._run_id = run_id
        self._now = now
        self._locations: dict[str, str] | None = None

    def recheck(self, item: PlanItem) -> str | None:
        """Skip what somebody else has changed or done since the plan was made."""
        catalog, name = self._lake.catalog, str(item.details["table"])
        if not catalog.table_exists(name):
            return "the table is gone"
        table = catalog.load_table(name)
        if item.kind == COMPACT:
            live = live_tasks(table)
            gone = sum(path not in live for part in item.details["bins"] for path in part)
            return f"{gone} of its files are no longer in the table" if gone else None
        if item.kind == EXPIRE:
            present = {snapshot.snapshot_id for snapshot in table.metadata.snapshots}
            return None if present & set(item.details["snapshots"]) else "the snapshots are gone"
        return None  # a sweep looks up every file anew when it acts

    def act(self, item: PlanItem) -> Mapping[str, Any]:
        """Do it. Raises what the lake raises; files that changed in between fail the item for this run."""
        catalog, name = self._lake.catalog, str(item.details["table"])
        if item.kind == COMPACT:
            return self._compact(item, name)
        if item.kind == EXPIRE:
            return {"snapshots": expire(catalog, name, item.details["snapshots"])}
        files = self._still_unreferenced(item)
        if not files:
            raise OvertakenError("the files are gone or needed again")
        removed = remove_stored(catalog.load_table(name).location(), [file.path for file in files])
        return {"removed_files": removed, "removed_bytes": sum(file.size for file in files)}

    def verify(self, item: PlanItem, done: Mapping[str, Any]) -> None:
        """Look at the table again. Raises VerificationError when it is not as it must be."""
        table = self._lake.catalog.load_table(str(item.details["table"]))
        if item.kind == COMPACT:
            self._verify_compaction(table, item, done)
        elif item.kind == EXPIRE:
            left = {entry.snapshot_id for entry in table.metadata.snapshots} & set(item.details["snapshots"])
            heads = {reference.snapshot_id for reference in table.metadata.refs.values()}
            if left - heads:
                raise VerificationError(f"{len(left - heads)} snapshots are still there")
        elif item.kind == SWEEP:
            missing = {path for path in live_tasks(table) if not table.io.new_input(path).exists()}
            if missing:
                raise VerificationError(f"{len(missing)} files of the newest snapshot are missing")

    def _compact(self, item: PlanItem, name: str) -> Mapping[str, Any]:
        table = self._lake.catalog.load_table(name)
        properties = {"run_id": self._run_id, "maintenance": JOB}
        try:
            done = rewrite_group(
                self._lake.catalog, name, item.details["bins"], sort_columns(table), properties
            )
        except FilesChangedError as error:
            raise OvertakenError(str(error)) from error
        return {
            "snapshot_id": done.snapshot_id,
            "schema_id": table.metadata.current_schema_id,
            "files_before": done.files_before,
            "files_after": done.files_after,
            "bytes_before": done.bytes_before,
            "bytes_after": done.bytes_after,
            "rows": done.checksum.rows,
            "checksum": f"{done.checksum.whole_rows:016x}",
            "column_checksums": {name: f"{value:016x}" for name, _, value in done.checksum.columns},
        }

    def _verify_compaction(self, table: Any, item: PlanItem, done: Mapping[str, Any]) -> None:
        """The commit changed just these files and no row: its parent with the files exchanged is what it is."""
        snapshot = table.snapshot_by_id(done["snapshot_id"])
        if snapshot is None:
            raise VerificationError("the commit is not in the table's history")
        now = _files_of(table, done["snapshot_id"])
        before = _files_of(table, snapshot.parent_snapshot_id)
        replaced = {path for part in item.details["bins"] for path in part}
        added = now - before
        if before - now != replaced or len(added) != done["files_after"]:
            raise VerificationError(
                f"the commit took {len(before - now)} files and brought {len(added)};"
                f" {len(replaced)} and {done['files_after']} were meant"
            )
        if snapshot.schema_id is not None and snapshot.schema_id != done["schema_id"]:
            raise VerificationError("the schema changed in the same moment; compare the table by hand")

    def _still_unreferenced(self, item: PlanItem) -> list[StoredFile]:
        """The planned files that still nobody needs, looked up anew."""
        name, planned = str(item.details["table"]), set(item.details["paths"])
        grace = timedelta(hours=self._lake.settings.unreferenced_grace_hours)
        others = [location for other, location in self._all_locations().items() if other != name]
        files = unreferenced_files(self._lake.catalog, name, others, self._now, grace)
        return [file for file in files if file.path in planned]

    def _all_locations(self) -> dict[str, str]:
        """Locations of all tables, looked up once, at the first sweep of the run."""
        if self._locations is None:
            found = lake_tables(self._lake)
            self._locations = {item.identifier: item.table.location() for item in found if item.table}
        return self._locations


def _files_of(table: Any, snapshot_id: int | None) -> set[str]:
    if snapshot_id is None:
        return set()
    return {task.file.file_path for task in table.scan(snapshot_id=snapshot_id).plan_files()}
