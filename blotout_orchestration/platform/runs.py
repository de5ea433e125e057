"""Runs: their partition ranges, which of them are alive, and whose process was killed.

Belongs here: what is true of a run of any job. Running one from the command line is in job_runner.py.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dagster import DagsterInstance, DagsterRun, DagsterRunStatus, RunsFilter
from dagster._core.storage.runs import SqliteRunStorage

WORKER_TAG = "blotout/worker"
WORKER_START_TAG = "blotout/worker_started"
"""When the tagged process started, in seconds since 1970: its number may belong to another one by now."""
START_TOLERANCE = timedelta(seconds=5)
"""How far two readings of one process's start may lie apart; the kernel counts in ticks since boot."""
RANGE_START_TAG = "dagster/asset_partition_range_start"
RANGE_END_TAG = "dagster/asset_partition_range_end"
ALIVE = (
    DagsterRunStatus.QUEUED,
    DagsterRunStatus.NOT_STARTED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
    DagsterRunStatus.CANCELING,
)
PARTITION_FORMAT = "%Y-%m-%d-%H:%M"


def partition_key(hour: datetime) -> str:
    """Key of an hourly partition."""
    return hour.strftime(PARTITION_FORMAT)


def range_tags(first: datetime, last: datetime) -> dict[str, str]:
    """Tags of a run over all hours from `first` to `last`, both included."""
    return {RANGE_START_TAG: partition_key(first), RANGE_END_TAG: partition_key(last)}


def worker_of_this_process() -> str:
    """`host:pid` of this process, the value of the worker tag."""
    return f"{socket.gethostname()}:{os.getpid()}"


def worker_tags() -> dict[str, str]:
    """The tags of a run that runs in this process."""
    started = process_started_at(os.getpid())
    start = {WORKER_START_TAG: f"{started.timestamp():.0f}"} if started else {}
    return {WORKER_TAG: worker_of_this_process(), **start}


def process_started_at(pid: int) -> datetime | None:
    """When a process of this host started; None where there is no /proc. Source: proc(5), field `starttime`."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
        boot = next(
            int(line.split()[1])
            for line in Path("/proc/stat").read_text(encoding="utf-8").splitlines()
            if line.startswith("btime ")
        )
    except (OSError, StopIteration):
        return None
    ticks = int(stat.rpartition(")")[2].split()[19])
    return datetime.fromtimestamp(boot + ticks / os.sysconf("SC_CLK_TCK"), UTC)


def worker_is_gone(tags: Mapping[str, str]) -> bool:
    """Whether the tagged process ran on this host and does not any more."""
    host, _, pid = tags.get(WORKER_TAG, "").rpartition(":")
    if host != socket.gethostname() or not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass  # Somebody else's process: whether it is the tagged one, its start tells as well.
    named, started = tags.get(WORKER_START_TAG, ""), process_started_at(int(pid))
    if not named.isdigit() or started is None:
        return False
    return abs(started.timestamp() - int(named)) > START_TOLERANCE.total_seconds()


def live_runs(instance: DagsterInstance, job_name: str) -> list[DagsterRun]:
    """Runs of a job that are under way; runs whose process was killed are failed first and not listed."""
    runs = instance.get_runs(RunsFilter(job_name=job_name, statuses=list(ALIVE)))
    return [run for run in runs if not _fail_if_gone(instance, run)]


def _fail_if_gone(instance: DagsterInstance, run: DagsterRun) -> bool:
    if not worker_is_gone(run.tags):
        return False
    instance.report_run_failed(run, "The process of this run was killed; what it had committed is kept.")
    instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
    return True


def fail_killed_runs(instance: DagsterInstance) -> int:
    """Fail every run whose process was killed and free its pool slots; returns how many."""
    runs = instance.get_runs(RunsFilter(statuses=list(ALIVE)))
    return sum(_fail_if_gone(instance, run) for run in runs)


def fail_orphaned_runs(instance: DagsterInstance) -> int:
    """Fail live runs that no process is known of; returns how many.

    Runs that the UI or the daemon launched live in the process tree of `blotout ui`. When that is started
    anew and no other one is alive, theirs are gone; they would block schedules until their maximum runtime.
    On SQLite, which one machine uses, a run of a host of another name is gone as well: a container that was
    replaced has a new name.
    """
    runs = instance.get_runs(RunsFilter(statuses=list(ALIVE)))
    one_machine = isinstance(instance.run_storage, SqliteRunStorage)
    orphaned = [
        run
        for run in runs
        if WORKER_TAG not in run.tags or (one_machine and not process_is_alive(run.tags[WORKER_TAG]))
    ]
    for run in orphaned:
        instance.report_run_failed(run, "The UI that ran this was stopped; what it had committed is kept.")
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
    return len(orphaned)


def process_is_alive(worker: str) -> bool:
    """Whether a `host:pid` is a process of this host that runs."""
    return worker.rpartition(":")[0] == socket.gethostname() and not worker_is_gone({WORKER_TAG: worker})


def stretches(hours: Sequence[datetime], maximum_gap: timedelta) -> list[tuple[datetime, datetime]]:
    """Hours as (first, last) stretches; a pause longer than `maximum_gap` begins a new one."""
    found: list[tuple[datetime, datetime]] = []
    for hour in sorted(hours):
        if found and hour - found[-1][1] <= maximum_gap:
            found[-1] = (found[-1][0], hour)
        else:
            found.append((hour, hour))
    return found
