"""Runs: executing a job from the command line, knowing which runs are alive, one run at a time.

Belongs here: what is true of a run of any job. What a job does belongs to its domain.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from dagster import AssetKey, DagsterInstance, DagsterRun, DagsterRunStatus, JobDefinition, RunsFilter

from blotout_orchestration.errors import BlotoutError
from blotout_orchestration.platform.home import open_instance
from blotout_orchestration.settings import Settings

if TYPE_CHECKING:
    from dagster._utils.error import SerializableErrorInfo

WORKER_TAG = "blotout/worker"
RANGE_START_TAG = "dagster/asset_partition_range_start"
RANGE_END_TAG = "dagster/asset_partition_range_end"
ALIVE = (
    DagsterRunStatus.QUEUED,
    DagsterRunStatus.NOT_STARTED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
    DagsterRunStatus.CANCELING,
)
MAXIMUM_GAP = timedelta(days=7)
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
        return False
    return False


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


def run_job(
    name: str,
    *,
    settings: Settings,
    hours: tuple[datetime, datetime] | None = None,
    echo: Callable[[str], None] = print,
    overrides: Mapping[str, Any] | None = None,
) -> bool:
    """Run a job to its end in this process, in the instance that the UI shows; True when it succeeded.

    `hours` (first and last, both included) narrows a job with hourly partitions; without it all hours that
    are not done yet are run, and nothing is when there is none.
    Raises BlotoutError for an unknown job or for hours that the job does not have.
    """
    from blotout_orchestration.definitions import build_defs

    definitions = build_defs(overrides=overrides)
    names = sorted(job.name for job in definitions.resolve_all_job_defs() if not job.name.startswith("__"))
    if name not in names:
        raise BlotoutError(f"there is no job {name!r}; the jobs are: {', '.join(names)}")
    job = definitions.resolve_job_def(name)
    with open_instance(settings) as instance:
        killed = fail_killed_runs(instance)
        if killed:
            echo(f"{killed} run(s) whose process had been killed are now marked as failed")
        if job.partitions_def is None:
            if hours is not None:
                raise BlotoutError(f"{name} has no hours: run it without --hours")
            return _execute(job, instance, echo)
        return _run_hours(job, instance, settings, hours, echo)


def _run_hours(
    job: JobDefinition,
    instance: DagsterInstance,
    settings: Settings,
    hours: tuple[datetime, datetime] | None,
    echo: Callable[[str], None],
) -> bool:
    """Run a job with hours: each stretch of pending hours, what has no hours together with the last one."""
    partitioned = [
        key for key in job.asset_layer.executable_asset_keys if job.asset_layer.get(key).is_partitioned
    ]
    others = [key for key in job.asset_layer.executable_asset_keys if key not in partitioned]
    stretches = [hours] if hours is not None else _pending_stretches(settings)
    if not stretches:
        echo("every landed hour is done")
        return _execute(job, instance, echo, selection=others) if others else True
    config = {"ops": {"events_incremental": {"config": {"only_pending": hours is None}}}}
    for index, (first, last) in enumerate(stretches, start=1):
        echo(f"hours {first:%Y-%m-%d %H:00} to {last:%Y-%m-%d %H:00} UTC")
        selection = None if index == len(stretches) else partitioned
        if not _execute(job, instance, echo, range_tags(first, last), config, selection):
            return False
    return True


def _pending_stretches(settings: Settings) -> list[tuple[datetime, datetime]]:
    from blotout_orchestration.events.processing import pending_hours
    from blotout_orchestration.lake import Lake

    return stretches(pending_hours(Lake(settings)), MAXIMUM_GAP)


def stretches(hours: Sequence[datetime], maximum_gap: timedelta) -> list[tuple[datetime, datetime]]:
    """Hours as (first, last) stretches; a pause longer than `maximum_gap` begins a new one."""
    found: list[tuple[datetime, datetime]] = []
    for hour in sorted(hours):
        if found and hour - found[-1][1] <= maximum_gap:
            found[-1] = (found[-1][0], hour)
        else:
            found.append((hour, hour))
    return found


def _execute(
    job: JobDefinition,
    instance: DagsterInstance,
    echo: Callable[[str], None],
    tags: Mapping[str, str] | None = None,
    run_config: Mapping[str, Any] | None = None,
    selection: Sequence[AssetKey] | None = None,
) -> bool:
    started = time.monotonic()
    echo(f"{job.name}: started")
    result = job.execute_in_process(
        instance=instance,
        tags={WORKER_TAG: worker_of_this_process(), **(tags or {})},
        run_config=dict(run_config or {}),
        asset_selection=selection,
        raise_on_error=False,
    )
    for event in result.all_events:
        if event.is_step_failure and event.step_failure_data.error:
            echo(f"{event.step_key}: {_first_error(event.step_failure_data.error)}")
    state = "succeeded" if result.success else "FAILED"
    echo(f"{job.name}: {state} after {time.monotonic() - started:.1f} s (run {result.run_id})")
    return bool(result.success)


def _first_error(error: SerializableErrorInfo) -> str:
    """The message of the innermost cause, on one line."""
    while error.cause is not None:
        error = error.cause
    return " ".join(error.message.split())
