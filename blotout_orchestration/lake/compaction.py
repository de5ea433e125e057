"""Compaction: many small files of a partition become few large ones, while others read and write.

Belongs here: which files of a table go together, and replacing them under concurrency. The commit itself and
its proof are in rewriting.py; which tables, and when, is the business of the job `compression`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from pyiceberg.catalog import Catalog
from pyiceberg.conversions import from_bytes
from pyiceberg.manifest import DataFile
from pyiceberg.table import FileScanTask, Table
from pyiceberg.transforms import DayTransform, HourTransform, IdentityTransform, MonthTransform, YearTransform
from pyiceberg.types import DateType, PrimitiveType

from blotout_orchestration.lake import rewriting
from blotout_orchestration.lake.commits import load_for_replacing, with_retries
from blotout_orchestration.lake.rewriting import Checksum, RowsDifferError

MAXIMUM_BINS = 16
"""A commit packs at most this many new files, so that a killed run of a big partition loses little."""
SMALL = 0.75
"""A file of this share of the target size is large enough, and is left as it is."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class FilesChangedError(Exception):
    """Planned files were replaced, removed or got row deletes by somebody else; the next plan sees them anew."""


@dataclass(frozen=True)
class Thresholds:
    """When a partition is worth a rewrite. Sizes in bytes; `open_for` counts from the end of a period of time."""

    target_bytes: int
    minimum_files: int
    average_bytes: int
    open_for: timedelta


@dataclass(frozen=True)
class Group:
    """Files of one partition that are replaced in one commit; a bin becomes one file."""

    partition: str
    bins: tuple[tuple[str, ...], ...]
    files: int
    bytes: int
    files_with_deletes: int


@dataclass(frozen=True)
class Rewritten:
    """What a commit did: files and bytes before and after, and the checksum that both have."""

    snapshot_id: int
    files_before: int
    files_after: int
    bytes_before: int
    bytes_after: int
    checksum: Checksum


def partition_label(table: Table, file: DataFile) -> str:
    """`arrival_hour_day=2026-03-05` for a file's partition; empty for unpartitioned tables."""
    spec, schema = table.spec(), table.schema()
    parts = []
    for index, field in enumerate(spec.fields):
        value = file.partition[index]
        kind = schema.find_field(field.source_id).field_type
        text = "null" if value is None else field.transform.to_human_string(kind, value)
        parts.append(f"{field.name}={text}")
    return "/".join(parts)


def period_end(table: Table, file: DataFile) -> datetime | None:
    """When the file's partition of time ends, UTC; None when the table is not partitioned by time."""
    schema = table.schema()
    for index, field in enumerate(table.spec().fields):
        value, transform = file.partition[index], field.transform
        if value is None:
            continue
        if isinstance(transform, HourTransform):
            return _EPOCH + timedelta(hours=int(value) + 1)
        is_date = isinstance(schema.find_field(field.source_id).field_type, DateType)
        if isinstance(transform, DayTransform) or (isinstance(transform, IdentityTransform) and is_date):
            days = (value - _EPOCH.date()).days if isinstance(value, date) else int(value)
            return _EPOCH + timedelta(days=days + 1)
        if isinstance(transform, MonthTransform):
            months = int(value) + 1
            return datetime(1970 + months // 12, months % 12 + 1, 1, tzinfo=UTC)
        if isinstance(transform, YearTransform):
            return datetime(1971 + int(value), 1, 1, tzinfo=UTC)
    return None


def plan_groups(table: Table, thresholds: Thresholds, sort_by: Sequence[str], now: datetime) -> list[Group]:
    """The groups of the newest snapshot that are worth a rewrite, by partition.

    Left out: partitions of time that are still open, files of older partition specs, large files without
    row deletes.
    """
    by_partition: dict[Any, list[FileScanTask]] = defaultdict(list)
    for task in table.scan().plan_files():
        if task.file.spec_id == table.metadata.default_spec_id:
            by_partition[task.file.partition].append(task)
    groups: list[Group] = []
    for tasks in by_partition.values():
        end = period_end(table, tasks[0].file)
        if end is not None and end + thresholds.open_for > now:
            continue
        groups += _groups_of_partition(table, tasks, thresholds, sort_by)
    return sorted(groups, key=lambda group: (group.partition, group.bins))


def _groups_of_partition(
    table: Table, tasks: list[FileScanTask], thresholds: Thresholds, sort_by: Sequence[str]
) -> list[Group]:
    with_deletes = [task for task in tasks if task.delete_files]
    delete_files = {file.file_path for task in with_deletes for file in task.delete_files}
    small = [task for task in tasks if task.file.file_size_in_bytes < SMALL * thresholds.target_bytes]
    size = sum(task.file.file_size_in_bytes for task in small)
    crowded = len(small) >= thresholds.minimum_files and size < thresholds.average_bytes * len(small)
    if not crowded and len(delete_files) < thresholds.minimum_files:
        return []
    chosen = {task.file.file_path: task for task in [*(small if crowded else []), *with_deletes]}
    ordered = sorted(chosen.values(), key=lambda task: _position(table, task.file, sort_by))
    bins = [part for part in _bins(ordered, thresholds.target_bytes) if len(part) > 1 or part[0].delete_files]
    label = partition_label(table, tasks[0].file)
    found = []
    for start in range(0, len(bins), MAXIMUM_BINS):
        parts = bins[start : start + MAXIMUM_BINS]
        members = [task for part in parts for task in part]
        found.append(
            Group(
                label,
                tuple(tuple(task.file.file_path for task in part) for part in parts),
                len(members),
                sum(task.file.file_size_in_bytes for task in members),
                sum(bool(task.delete_files) for task in members),
            )
        )
    return found


def _position(table: Table, file: DataFile, sort_by: Sequence[str]) -> tuple[Any, ...]:
    """Where a file lies in the table's order, by the lowest value of the first sort column; then by its path."""
    if sort_by:
        field = table.schema().find_field(sort_by[0])
        bound = (file.lower_bounds or {}).get(field.field_id)
        if bound is not None and isinstance(field.field_type, PrimitiveType):
            return (0, from_bytes(field.field_type, bound), file.file_path)
    return (1, 0, file.file_path)


def _bins(tasks: Sequence[FileScanTask], target: int) -> list[list[FileScanTask]]:
    """Neighbouring files together until the target size is reached (next fit keeps the order)."""
    bins: list[list[FileScanTask]] = []
    size = 0
    for task in tasks:
        if bins and size + task.file.file_size_in_bytes <= target:
            bins[-1].append(task)
            size += task.file.file_size_in_bytes
        else:
            bins.append([task])
            size = task.file.file_size_in_bytes
    return bins


def rewrite_group(
    catalog: Catalog,
    identifier: str,
    bins: Sequence[Sequence[str]],
    sort_by: Sequence[str],
    properties: dict[str, str],
) -> Rewritten:
    """Replace the files of each bin by one with the same rows, sorted, all in one commit.

    New files are read back and compared with the old rows before the commit. When another writer commits
    first, the commit is tried again on top of it, as long as the files themselves are untouched. Raises
    FilesChangedError when they are not, and RowsDifferError; then the new files are removed again.
    """
    table = load_for_replacing(catalog, identifier)
    tasks = _untouched(rewriting.live_tasks(table), [path for part in bins for path in part], None)
    new: list[DataFile] = []
    total: Checksum | None = None
    try:
        for part in bins:
            rows = rewriting.read_tasks(table, (tasks[path] for path in part))
            before = rewriting.checksum(rows)
            if sort_by:
                rows = rows.sort_by([(name, "ascending") for name in sort_by])
            written = rewriting.write_files(table, rows) if rows.num_rows else []
            new += written
            del rows  # a bin is read twice; at no time is it held more than twice
            after = rewriting.checksum(rewriting.read_tasks(table, map(FileScanTask, written)))
            problem = before.difference(after)
            if not problem and {file.partition for file in written} - {tasks[part[0]].file.partition}:
                problem = "the rows went to another partition"
            if problem:
                raise RowsDifferError(f"{identifier}: {problem}")
            total = before if total is None else total + before
        snapshot_id = with_retries(lambda: _commit(catalog, identifier, tasks, new, properties))
    except BaseException:
        if not _committed(catalog, identifier, new):
            rewriting.remove_files(table, (file.file_path for file in new))
        raise
    assert total is not None
    return Rewritten(
        snapshot_id,
        len(tasks),
        len(new),
        sum(task.file.file_size_in_bytes for task in tasks.values()),
        sum(file.file_size_in_bytes for file in new),
        total,
    )


def _untouched(
    live: dict[str, FileScanTask], paths: Sequence[str], known: dict[str, FileScanTask] | None
) -> dict[str, FileScanTask]:
    """The tasks of these files among the live ones, which must be what they were in `known`."""
    gone = [path for path in paths if path not in live]
    if gone:
        raise FilesChangedError(f"{len(gone)} of {len(paths)} files are no longer in the table")
    found = {path: live[path] for path in paths}
    if known is not None:
        for path, task in found.items():
            if _deletes(task) != _deletes(known[path]):
                raise FilesChangedError("rows of the files were deleted meanwhile")
    return found


def _deletes(task: FileScanTask) -> set[str]:
    return {file.file_path for file in task.delete_files}


def _commit(
    catalog: Catalog,
    identifier: str,
    tasks: dict[str, FileScanTask],
    new: Sequence[DataFile],
    properties: dict[str, str],
) -> int:
    table = load_for_replacing(catalog, identifier)
    live = rewriting.live_tasks(table)
    _untouched(live, list(tasks), tasks)
    spent = rewriting.spent_deletes(table, live, set(tasks))
    return rewriting.commit_replacement(table, [task.file for task in tasks.values()], new, spent, properties)


def _committed(catalog: Catalog, identifier: str, new: Sequence[DataFile]) -> bool:
    """Whether the commit happened all the same: an answer of the catalog may have been lost."""
    live = rewriting.live_tasks(catalog.load_table(identifier))
    return any(file.file_path in live for file in new)
