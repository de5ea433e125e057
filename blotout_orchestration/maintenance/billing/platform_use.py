"""Lines from the platform's own use of its machine: run time by job, bytes written by job, bytes stored.

Belongs here: reading Dagster's runs and the lake's snapshots. Does not belong here: sums.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from dagster import DagsterInstance, RunsFilter

from blotout_orchestration.maintenance.billing.bill import Line, Month

if TYPE_CHECKING:
    from blotout_orchestration.lake import Lake

RUN_SECONDS: Final = "run seconds"
BYTES_WRITTEN: Final = "bytes written"
PAGE: Final = 500
UNKNOWN_JOB: Final = "(runs that were purged)"


def read_use(lake: Lake, instance: DagsterInstance, month: Month) -> tuple[list[Line], list[tuple[str, int]]]:
    """Lines of a month and the month before, and the bytes that each table holds now, most first."""
    jobs: dict[str, str] = {}
    account = lake.settings.namespace
    lines: list[Line] = []
    first, end = _start_of(month.previous.first), _start_of(month.next.first)
    for record in _records(instance, first):
        run = record.dagster_run
        jobs[run.run_id] = run.job_name
        if record.start_time and record.end_time and record.start_time < end.timestamp():
            seconds = Decimal(str(round(record.end_time - record.start_time, 3)))
            day = datetime.fromtimestamp(record.start_time, UTC).date()
            lines.append(Line(day, account, run.job_name, "usage", seconds, RUN_SECONDS))
    stored: list[tuple[str, int]] = []
    for name, table in _tables(lake):
        current = table.current_snapshot()
        size = _summary(current).get("total-files-size", "0") if current else "0"
        stored.append((name, int(size)))
        for snapshot in table.metadata.snapshots:
            written = datetime.fromtimestamp(snapshot.timestamp_ms / 1000, UTC)
            facts = _summary(snapshot)
            added = Decimal(facts.get("added-files-size", "0"))
            if added and first <= written < end:
                job = jobs.get(facts.get("run_id", ""), UNKNOWN_JOB)
                lines.append(Line(written.date(), account, job, "usage", added, BYTES_WRITTEN))
    return lines, sorted(stored, key=lambda entry: (-entry[1], entry[0]))


def _start_of(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _records(instance: DagsterInstance, since: datetime) -> Iterator[Any]:
    """Records of runs created since a moment, newest first, a page at a time."""
    cursor = None
    while True:
        records = instance.get_run_records(RunsFilter(created_after=since), limit=PAGE, cursor=cursor)
        yield from records
        if len(records) < PAGE:
            return
        cursor = records[-1].dagster_run.run_id


def _tables(lake: Lake) -> Iterator[tuple[str, Any]]:
    for namespace in lake.catalog.list_namespaces():
        for identifier in lake.catalog.list_tables(namespace):
            yield ".".join(identifier), lake.catalog.load_table(identifier)


def _summary(snapshot: Any) -> Mapping[str, str]:
    """Figures that the commit itself left, texts by the names of the Iceberg specification."""
    return {} if snapshot is None or snapshot.summary is None else snapshot.summary.additional_properties
