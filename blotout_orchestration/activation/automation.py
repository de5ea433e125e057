"""When activation runs: jobs under their DAG names, and the schedule of the statistics.

Belongs here: jobs and schedules. The channels' own times are kept by the registry's sensor.
"""

from __future__ import annotations

from dagster import (
    AssetSelection,
    DefaultScheduleStatus,
    DynamicPartitionsDefinition,
    RunRequest,
    ScheduleDefinition,
    ScheduleEvaluationContext,
    SkipReason,
    define_asset_job,
    schedule,
)
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from blotout_orchestration.activation.contract import ACTIVATION_STATS, TABLES
from blotout_orchestration.lake import Lake
from blotout_orchestration.platform.registry import CHANNEL_PARTITIONS
from blotout_orchestration.platform.runs import live_runs

CHANNEL_JOB = "activation_channels"
STATS_JOB = "activation_stats"


def activation_jobs() -> list[UnresolvedAssetJobDefinition]:
    """`activation_channels`, a run a channel, and `activation_stats`."""
    return [
        define_asset_job(
            CHANNEL_JOB,
            selection=AssetSelection.assets(*(spec.name for spec in TABLES)),
            partitions_def=DynamicPartitionsDefinition(name=CHANNEL_PARTITIONS),
            description="Deliver the audience of one activation channel to its destination.",
            tags={"category": "Activation"},
        ),
        define_asset_job(
            STATS_JOB,
            selection=AssetSelection.assets(ACTIVATION_STATS.name),
            description="Reconcile the activation channels' statistics, keep daily sync records per channel.",
            tags={"category": "Activation"},
        ),
    ]


def activation_schedules(lake: Lake) -> list[ScheduleDefinition]:
    """The statistics, once a day."""

    @schedule(
        name=f"{STATS_JOB}_schedule",
        job_name=STATS_JOB,
        cron_schedule=lake.settings.activation_stats_schedule_interval,
        execution_timezone="UTC",
        default_status=DefaultScheduleStatus.RUNNING,
        description="ACTIVATION_STATS_SCHEDULE_INTERVAL: channels and days reconciled.",
    )
    def activation_stats_schedule(context: ScheduleEvaluationContext) -> RunRequest | SkipReason:
        running = live_runs(context.instance, STATS_JOB)
        if running:
            return SkipReason(f"run {running[0].run_id} is under way")
        return RunRequest(run_key=context.scheduled_execution_time.isoformat())

    return [activation_stats_schedule]


def without_channels(selection: AssetSelection) -> AssetSelection:
    """A selection without what needs a channel's partition."""
    return selection - AssetSelection.assets(*(spec.name for spec in TABLES))
