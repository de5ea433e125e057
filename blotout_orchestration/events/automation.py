"""When `events_incremental` runs: its schedule, and the gap filler for hours that were missed.

Belongs here: deciding which hours to request. Flattening them belongs to processing.py.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

from dagster import (
    AssetSelection,
    AutomationConditionSensorDefinition,
    DefaultScheduleStatus,
    DefaultSensorStatus,
    RunRequest,
    ScheduleDefinition,
    ScheduleEvaluationContext,
    SensorDefinition,
    SensorEvaluationContext,
    SkipReason,
    define_asset_job,
    schedule,
    sensor,
)
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from blotout_orchestration.events.arrival import first_hour
from blotout_orchestration.events.contract import CORE_EVENTS
from blotout_orchestration.lake import Lake
from blotout_orchestration.platform.automation import automation_sensor
from blotout_orchestration.platform.runs import live_runs, partition_key, range_tags, stretches

JOB = "events_incremental"
RETRY_PAUSE = timedelta(hours=1)


def events_job() -> UnresolvedAssetJobDefinition:
    """The job under its DAG name."""
    return define_asset_job(
        JOB,
        selection=AssetSelection.assets(CORE_EVENTS.name),
        description="Flatten the incremental click stream into core_events, hour of arrival by hour.",
        tags={"category": "Analytics"},
    )


def events_schedule(lake: Lake, job: UnresolvedAssetJobDefinition) -> ScheduleDefinition:
    """Runs the hour that has just closed; skips while another run of the job is under way."""

    @schedule(
        name=f"{JOB}_schedule",
        job=job,
        cron_schedule=lake.settings.events_incremental_schedule_interval,
        execution_timezone="UTC",
        default_status=DefaultScheduleStatus.RUNNING,
        description="EVENTS_INCREMENTAL_SCHEDULE_INTERVAL: the hour of arrival that has just closed.",
    )
    def events_incremental_schedule(context: ScheduleEvaluationContext) -> RunRequest | SkipReason:
        closed = last_closed_hour(context.scheduled_execution_time)
        running = live_runs(context.instance, JOB)
        if running:
            return SkipReason(f"run {running[0].run_id} is under way; the gap filler takes the hour after it")
        return RunRequest(run_key=partition_key(closed), partition_key=partition_key(closed))

    return events_incremental_schedule


def events_gap_filler(lake: Lake, job: UnresolvedAssetJobDefinition) -> SensorDefinition:
    """Requests closed hours within CATCH_UP_HOURS whose landed files are not processed yet, once each."""

    @sensor(
        name=f"{JOB}_gap_filler",
        job=job,
        minimum_interval_seconds=60,
        default_status=DefaultSensorStatus.RUNNING,
        description=f"Fills missed and changed hours of the last {lake.settings.catch_up_hours} hours "
        "(CATCH_UP_HOURS); one run a stretch of hours, and a failed stretch again after an hour.",
    )
    def events_incremental_gap_filler(context: SensorEvaluationContext) -> list[RunRequest] | SkipReason:
        running = live_runs(context.instance, JOB)
        if running:
            return SkipReason(f"run {running[0].run_id} is under way")
        missing = missing_hours(lake, datetime.now(UTC))
        if not missing:
            return SkipReason("every landed hour of the window is processed")
        return gap_requests(missing, datetime.now(UTC))

    return events_incremental_gap_filler


def bad_events_sensor() -> AutomationConditionSensorDefinition:
    """Keeps the count of refused events up to date."""
    return automation_sensor(f"{JOB}_automation", ["events"], "Counts bad_events after every run over hours.")


def last_closed_hour(now: datetime) -> datetime:
    """The newest hour of arrival that can get no more files."""
    return now.astimezone(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)


def missing_hours(lake: Lake, now: datetime) -> dict[datetime, str]:
    """Closed hours of the catch-up window that are pending, each with the fingerprint of its files.

    Only the folders of these hours are listed: what a look costs does not grow with history.
    """
    from blotout_orchestration.events import ledger
    from blotout_orchestration.lake.layers import fingerprint, hours_between, list_landed

    closed = last_closed_hour(now) + timedelta(hours=1)
    first = max(first_hour(lake.settings, now), closed - timedelta(hours=lake.settings.catch_up_hours))
    landed = list_landed(lake.layer("landing"), hours_between(first, closed))
    return {hour: fingerprint(landed[hour]) for hour in ledger.pending(lake, landed)}


def gap_requests(missing: dict[datetime, str], now: datetime) -> list[RunRequest]:
    """One run request for each stretch of neighbouring hours.

    The run key names the hours, their files and the current retry pause: a stretch is requested once, again
    when its files change, and again every `RETRY_PAUSE` while it keeps failing.
    """
    pause = int(now.timestamp() // RETRY_PAUSE.total_seconds())
    requests = []
    for first, last in stretches(list(missing), timedelta(hours=1)):
        prints = [missing[hour] for hour in sorted(missing) if first <= hour <= last]
        digest = hashlib.sha256("".join(prints).encode()).hexdigest()[:16]
        key = f"{partition_key(first)}...{partition_key(last)}:{digest}:{pause}"
        requests.append(RunRequest(run_key=key, tags=range_tags(first, last)))
    return requests
