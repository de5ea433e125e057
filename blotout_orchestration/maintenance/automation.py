"""When the maintenance jobs run: their schedules, and the sensor of the first launch.

Belongs here: deciding when. A schedule switches the dry run off; a run by hand must do so itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from dagster import (
    DefaultScheduleStatus,
    DefaultSensorStatus,
    JobDefinition,
    RunRequest,
    ScheduleDefinition,
    ScheduleEvaluationContext,
    SensorDefinition,
    SensorEvaluationContext,
    SkipReason,
    schedule,
    sensor,
)

from blotout_orchestration.lake import Lake
from blotout_orchestration.maintenance import jobs
from blotout_orchestration.platform.database import DatabaseUnavailableError
from blotout_orchestration.platform.runs import live_runs
from blotout_orchestration.platform.setup import SETUP_JOB, setup_done

RETRY_PAUSE = timedelta(minutes=15)


def for_real(op_name: str) -> dict[str, Any]:
    """Run config that switches the dry run off."""
    return {"ops": {op_name: {"config": {"dry_run": False}}}}


def maintenance_schedules(lake: Lake, made: Sequence[JobDefinition]) -> list[ScheduleDefinition]:
    """One schedule for each job that repeats; a run that is still under way lets the next one be skipped."""
    settings = lake.settings
    by_name = {job.name: job for job in made}
    return [
        _schedule(by_name[name], op_name, cron, variable)
        for name, op_name, cron, variable in (
            (
                jobs.COMPRESSION,
                jobs.COMPACT_OP,
                settings.compression_schedule_interval,
                "COMPRESSION_SCHEDULE_INTERVAL",
            ),
            (
                jobs.CLEANUP,
                jobs.CLEANUP_OP,
                settings.cleanup_temp_tables_schedule_interval,
                "CLEANUP_TEMP_TABLES_SCHEDULE_INTERVAL",
            ),
            (
                jobs.IDLE,
                jobs.IDLE_OP,
                settings.schedule_interval_delete_idle_connections,
                "SCHEDULE_INTERVAL_DELETE_IDLE_CONNECTIONS",
            ),
        )
    ]


def _schedule(job: JobDefinition, op_name: str, cron: str, variable: str) -> ScheduleDefinition:
    @schedule(
        name=f"{job.name}_schedule",
        job=job,
        cron_schedule=cron,
        execution_timezone="UTC",
        default_status=DefaultScheduleStatus.RUNNING,
        description=f"{variable}: runs {job.name} for real, not as a dry run.",
    )
    def scheduled(context: ScheduleEvaluationContext) -> RunRequest | SkipReason:
        running = live_runs(context.instance, job.name)
        if running:
            return SkipReason(f"run {running[0].run_id} is under way")
        return RunRequest(run_config=for_real(op_name))

    return scheduled


def first_launch_sensor(lake: Lake, job: JobDefinition) -> SensorDefinition:
    """Runs `one_time_setup` until it has succeeded once; a failed one again after `RETRY_PAUSE`."""

    @sensor(
        name=f"{SETUP_JOB}_first_launch",
        job=job,
        minimum_interval_seconds=30,
        default_status=DefaultSensorStatus.RUNNING,
        description="Sets the platform up at its first launch. Schedules and other sensors wait for it.",
    )
    def first_launch(context: SensorEvaluationContext) -> RunRequest | SkipReason:
        try:
            if setup_done(lake.settings):
                return SkipReason("the platform is set up")
        except DatabaseUnavailableError as error:
            return SkipReason(f"whether the platform is set up cannot be read: {error}")
        running = live_runs(context.instance, SETUP_JOB)
        if running:
            return SkipReason(f"run {running[0].run_id} is under way")
        pause = int(datetime.now(UTC).timestamp() // RETRY_PAUSE.total_seconds())
        return RunRequest(run_key=f"{lake.namespace}:{pause}", run_config=for_real(jobs.SETUP_OP))

    return first_launch
